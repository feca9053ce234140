"""What becomes of each patch in a vision transformer: ours, or one of transformers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from semtok.models.encoder import VisualTokenEncoder
from semtok.tokens.batch import TokenBatch


@dataclass(frozen=True)
class PatchTokens:
    """The P = rows x columns patches of I images, in reading order.

    Attributes:
        rows, columns: of patches.
        embedded: [I, P, width], the embedded pixels, before any position is added.
        output: [I, P, width] of the last block, before the final norm (which would level the norms
            that artifacts are told by).
        queries, keys, values: [I, P, width] of the last block, its heads side by side.
    """

    rows: int
    columns: int
    embedded: Tensor
    output: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor


@torch.no_grad()
def of_encoder(encoder: VisualTokenEncoder, batch: TokenBatch) -> PatchTokens:
    """Read the patches of our own encoder, whose last block is computed for all tokens.

    Args:
        encoder: of a variant with patches.
        batch: images, on the encoder's device.
    """
    position = encoder.embedding.position
    assert position is not None, "its tokens are no patches"
    patches = len(position)
    side = round(patches**0.5)
    of_image = slice(encoder.leading, encoder.leading + patches)
    parts = last_block(encoder, batch)
    embedded = encoder.embedding.pixels(batch.features[:, :patches])
    return PatchTokens(side, side, embedded, **{to: x[:, of_image] for to, x in parts.items()})


@torch.no_grad()
def last_block(encoder: VisualTokenEncoder, batch: TokenBatch) -> dict[str, Tensor]:
    """What the last block of our own encoder makes of all tokens, whatever they are.

    Returns:
        output, queries, keys and values as of `PatchTokens`: [I, C+N, width], of the C =
        `encoder.leading` first tokens and of N of the batch, padding among them.
    """
    x, padding = encoder.contextualise(batch)
    block: Any = encoder.blocks[-1]
    read = block.norm_attention(x)
    keys, values = block.attention.kv(read).chunk(2, dim=-1)
    queries = block.attention.q(read)
    return {"output": block(x, padding), "queries": queries, "keys": keys, "values": values}


#: What the parts of attention are called in DINOv2 and ViT, and in CLIP.
_PARTS = (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"))


@torch.no_grad()
def of_transformers(model: nn.Module, pixels: Tensor) -> PatchTokens:
    """Read the patches of a vision transformer of transformers.

    Args:
        model: Dinov2Model, Dinov2WithRegistersModel, ViTModel, CLIPVisionModel, SiglipVisionModel,
            or whatever else names its parts as one of these does.
        pixels: [I, 3, H, W], as the model's image processor makes them.

    Raises:
        ValueError: it names its parts otherwise.
    """
    config: Any = model.config
    layers = [
        each
        for each in model.modules()
        if isinstance(each, nn.ModuleList) and len(each) == config.num_hidden_layers
    ]
    embeddings: Any = getattr(model, "embeddings", None)
    embed = getattr(embeddings, "patch_embeddings", getattr(embeddings, "patch_embedding", None))
    if not layers or embed is None:
        raise ValueError("no patch embedding or no list of layers")
    last: Any = layers[-1][-1]
    watched = {"embedded": embed, "output": last, **_parts_of_attention(last)}
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            found[name] = result[0] if isinstance(result, tuple) else result

        return hook

    hooks = [each.register_forward_hook(keep(name)) for name, each in watched.items()]
    try:
        # DINOv2 fits its positions to the picture unasked.
        asked = {} if config.model_type.startswith("dinov2") else {"interpolate_pos_encoding": True}
        model(pixel_values=pixels, **asked)
    finally:
        for each in hooks:
            each.remove()
    embedded = found.pop("embedded")
    if embedded.ndim == 4:  # CLIP's convolution keeps the grid
        embedded = embedded.flatten(2).mT
    rows, columns = (side // config.patch_size for side in pixels.shape[-2:])
    # Behind [CLS] and registers, of which SigLIP has none.
    of_image = {name: each[:, -rows * columns :] for name, each in found.items()}
    return PatchTokens(rows, columns, embedded, **of_image)


def _parts_of_attention(layer: nn.Module) -> Mapping[str, nn.Module]:
    linear = {
        name.rpartition(".")[2]: each
        for name, each in layer.named_modules()
        if isinstance(each, nn.Linear)
    }
    names = [next((one for one in names if one in linear), None) for names in _PARTS]
    if None in names:
        raise ValueError("no queries, keys and values of their own")
    wanted = ("queries", "keys", "values")
    return {to: linear[str(name)] for to, name in zip(wanted, names, strict=True)}
