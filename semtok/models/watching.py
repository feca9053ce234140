"""What the attention layers of an encoder are given, and give, in a forward pass."""

from typing import Any, NamedTuple

from torch import Tensor, nn

from semtok.models.attention import Attention
from semtok.models.clusters import Clusters
from semtok.models.encoder import VisualTokenEncoder
from semtok.tokens.batch import TokenBatch


class Given(NamedTuple):
    """What one layer was given, and `mixed`, what it gave: as `Attention.forward` says."""

    layer: Attention
    x: Tensor
    bias: Tensor | None
    clusters: Clusters | None
    mixed: Tensor


class Watched(NamedTuple):
    """What an encoder made of a batch, [B, embedding], and of its blocks one each, in order."""

    embedding: Tensor
    layers: list[Given]


def watch(encoder: VisualTokenEncoder, batch: TokenBatch) -> Watched:
    """Encode a batch, and tell what each block's attention was given.

    Args:
        encoder: ours, of any variant without gates.
        batch: token sets, on the encoder's device.
    """
    found: list[Given] = []

    def keep(layer: nn.Module, given: tuple[Any, ...], mixed: Tensor) -> None:
        assert isinstance(layer, Attention)
        x, bias, _, _, clusters = given
        found.append(Given(layer, x, bias, clusters, mixed))

    layers = [each for each in encoder.blocks.modules() if isinstance(each, Attention)]
    hooks = [each.register_forward_hook(keep) for each in layers]
    try:
        embedding = encoder(batch)
    finally:
        for each in hooks:
            each.remove()
    return Watched(embedding, found)
