"""The text side: a transformer trained from scratch, the frozen text tower of a CLIP model, or,
for a classifier, a table of classes (`class_table.py`).

Both transformers are causal and read a caption at its end token. Padding follows that token, so no
caption ever sees it, and causal attention needs no mask besides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.errors import SemtokError, installing
from semtok.models.attention import key_padding
from semtok.models.class_table import ClassTable, ClassText
from semtok.models.transformer import block_flops, blocks

_MLP_RATIO = 4.0


@dataclass(frozen=True)
class ScratchText:
    """A text transformer.

    Attributes:
        vocabulary: entries of the text tokenizer.
        context: longest caption, in its tokens.
        end: id of the token that ends a caption.
        width: of a text token.
        depth: blocks.
        heads: attention heads of a block.
    """

    vocabulary: int
    context: int
    end: int
    width: int
    depth: int
    heads: int


@dataclass(frozen=True)
class ClipText:
    """A CLIP text tower of transformers.

    Attributes:
        tower: its configuration, as transformers writes it.
    """

    tower: Mapping[str, Any]


TextConfig = ScratchText | ClipText | ClassText


def text_encoder(
    config: TextConfig, embedding: int
) -> "TextEncoder | ClipTextEncoder | ClassTable":
    """Build the text side.

    Args:
        config: which one.
        embedding: dimension of the joint image-text space.

    Raises:
        SemtokError: a CLIP tower of another dimension, or transformers is not installed.
    """
    if isinstance(config, ScratchText):
        return TextEncoder(config, embedding)
    if isinstance(config, ClassText):
        return ClassTable(config, embedding)
    return ClipTextEncoder(config, embedding)


class TextEncoder(nn.Module):
    """Captions -> one vector each, trained from scratch."""

    def __init__(self, config: ScratchText, embedding: int) -> None:
        """Create the encoder for a joint space of dimension `embedding`."""
        super().__init__()
        self.token = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.position = nn.Parameter(torch.empty(config.context, config.width))
        self.blocks = blocks(config.depth, config.width, config.heads, _MLP_RATIO)
        self.norm = nn.LayerNorm(config.width)
        self.projection = nn.Linear(config.width, embedding, bias=False)
        nn.init.normal_(self.token, std=0.02)
        nn.init.normal_(self.position, std=0.01)
        nn.init.normal_(self.projection.weight, std=config.width**-0.5)
        self.config = config

    def forward(self, ids: Tensor) -> Tensor:
        """Encode captions.

        Args:
            ids: [B, L] int64, L <= context; each row holds the end token, then padding of any id.

        Returns:
            [B, embedding], unit length.
        """
        x = F.embedding(ids, self.token) + self.position[: ids.shape[1]]
        for block in self.blocks[:-1]:
            x = block(x, causal=True)
        last = (ids == self.config.end).int().argmax(dim=1)  # the first of equal maxima
        # The end token is all that the last block computes. It goes first, and its caption after
        # it, backwards; what followed it then comes last, for nobody to read.
        places = torch.arange(ids.shape[1], device=ids.device)
        order = (last[:, None] - places) % ids.shape[1]
        x = x.gather(1, order[..., None].expand_as(x))
        x = self.blocks[-1](x, key_padding(places <= last[:, None], leading=0), queries=1)[:, 0]
        return F.normalize(self.projection(self.norm(x)), dim=-1)

    def flops(self, tokens: int) -> int:
        """FLOPs of encoding one caption of so many tokens, as `VisualTokenEncoder.flops`."""
        width = self.config.width
        block = block_flops(width, _MLP_RATIO, queries=tokens, keys=tokens)
        last = block_flops(width, _MLP_RATIO, queries=1, keys=tokens)
        return (self.config.depth - 1) * block + last + 2 * self.projection.weight.numel()


class ClipTextEncoder(nn.Module):
    """Captions -> one vector each by a CLIP text tower, which stays as it was pre-trained."""

    def __init__(self, config: ClipText, embedding: int) -> None:
        """Create the tower, with random weights.

        Raises:
            SemtokError: its embeddings are not of dimension `embedding`.
        """
        super().__init__()
        clip = _transformers()
        settings = clip.CLIPTextConfig(**config.tower)
        if settings.projection_dim != embedding:
            raise SemtokError(
                f"encoder.embedding: {embedding} is not the dimension of the text tower's "
                f"embeddings; set it to {settings.projection_dim}"
            )
        self.tower = clip.CLIPTextModelWithProjection(settings).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "ClipTextEncoder":
        """Set the mode of training; the tower's own dropout stays off."""
        super().train(mode)
        self.tower.eval()
        return self

    def forward(self, ids: Tensor) -> Tensor:
        """Encode captions; arguments and result as `TextEncoder.forward`."""
        return F.normalize(self.tower(input_ids=ids).text_embeds, dim=-1)

    def flops(self, tokens: int) -> int:
        """As `TextEncoder.flops`."""
        tower = self.tower.config
        ratio = tower.intermediate_size / tower.hidden_size
        block = block_flops(tower.hidden_size, ratio, queries=tokens, keys=tokens)
        return int(tower.num_hidden_layers * block + 2 * tower.hidden_size * tower.projection_dim)


def pretrained_tower(name: str) -> tuple[ClipText, dict[str, Tensor]]:
    """Read a CLIP text tower.

    Args:
        name: of a model that transformers knows and has cached or can download, or its folder.

    Returns:
        Its configuration, and the weights for `ClipTextEncoder.load_state_dict`.

    Raises:
        SemtokError: transformers is not installed, or there is no complete text tower by that name.
    """
    clip = _transformers()
    try:
        tower, report = clip.CLIPTextModelWithProjection.from_pretrained(
            name, output_loading_info=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SemtokError(f"text.tower: {name}: no CLIP text model there ({reason})") from None
    if missing := sorted(report["missing_keys"]):
        raise SemtokError(
            f"text.tower: {name}: has no weights for {', '.join(missing)}; "
            "name a CLIP model with its text projection"
        )
    config = ClipText(tower=tower.config.to_dict())
    return config, {f"tower.{key}": value for key, value in tower.state_dict().items()}


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise SemtokError(
            f"text.tower: a CLIP text tower needs transformers; {installing('clip')}"
        ) from None
    return transformers
