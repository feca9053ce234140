"""What the attention layers of an encoder are given in a forward pass."""

from typing import Any, NamedTuple

from torch import Tensor, nn

from semtok.models.attention import Attention
from semtok.models.clusters import Clusters
from semtok.models.encoder import VisualTokenEncoder
from semtok.tokens.batch import TokenBatch


class Given(NamedTuple):
    """What one layer was given: as `Attention.forward`, which says what it means."""

    layer: Attention
    x: Tensor
    bias: Tensor | None
    clusters: Clusters | None


def watch(encoder: VisualTokenEncoder, batch: TokenBatch) -> list[Given]:
    """Encode a batch, and tell what each block's attention was given.

    Args:
        encoder: ours, of any variant without gates.
        batch: token sets, on the encoder's device.

    Returns:
        One a block, in their order.
    """
    found: list[Given] = []

    def keep(layer: nn.Module, given: tuple[Any, ...]) -> None:
        assert isinstance(layer, Attention)
        x, bias, _, _, clusters = given
        found.append(Given(layer, x, bias, clusters))

    layers = [each for each in encoder.blocks.modules() if isinstance(each, Attention)]
    hooks = [each.register_forward_pre_hook(keep) for each in layers]
    try:
        encoder(batch)
    finally:
        for each in hooks:
            each.remove()
    return found
