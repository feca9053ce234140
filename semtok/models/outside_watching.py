"""What the layers of another library's vision side are given, and give, in a forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Makes features [B, P] of pixels, by the whole vision side.
Embed = Callable[[Tensor], Tensor]


class Side(NamedTuple):
    """A vision side, by its parts.

    Attributes:
        embedding: gives the tokens of images as the first block is given them, patches last.
        blocks: all of them, that give what they make of these.
        attentions: of the blocks, in their order: `nn.MultiheadAttention`, or one whose queries,
            keys and values have projections of their own (`q_proj`, `k_proj`, `v_proj`).
        head: SigLIP's attention, whose one token of its own reads the image; None: the first token
            does, [CLS].
    """

    embedding: nn.Module
    blocks: nn.Module
    attentions: Sequence[nn.Module]
    head: nn.Module | None = None


class Layer(NamedTuple):
    """One layer of attention, of Q tokens that read T.

    Attributes:
        weights: [B, heads, Q, T], each row of sum 1.
        values: [B, heads, T, width / heads].
        given: [B, Q, width], what it gives, behind its last projection.
        out: [width, width], the weights of that projection.
    """

    weights: Tensor
    values: Tensor
    given: Tensor
    out: Tensor


class Seen(NamedTuple):
    """What became of B images of T tokens.

    Attributes:
        features: [B, P].
        embedded: [B, T, width], as the first block is given them.
        final: [B, T, width], behind the last block.
        layers: one a block, in their order; behind them the head, where there is one (Q = 1).
    """

    features: Tensor
    embedded: Tensor
    final: Tensor
    layers: list[Layer]


def watch(side: Side, embed: Embed, pixels: Tensor) -> Seen:
    """Encode images, with gradients from their features down to their embedded tokens.

    Args:
        side: that reads them.
        embed: by this side.
        pixels: [B, 3, H, W], on its device.
    """
    embedded: list[Tensor] = []
    final: list[Tensor] = []
    layers: list[Layer] = []

    def begin(_: nn.Module, __: Any, x: Tensor) -> Tensor:
        embedded.append(x.detach().requires_grad_())
        return embedded[0]

    def keep(layer: Any, given: tuple[Any, ...], named: dict[str, Any], found: Any) -> None:
        if isinstance(layer, nn.MultiheadAttention):
            weights, biases = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
            parts = tuple(map(F.linear, given[:3], weights, biases))
        else:
            read = named["hidden_states"] if "hidden_states" in named else given[0]
            parts = (layer.q_proj(read), layer.k_proj(read), layer.v_proj(read))
        layers.append(_layer(parts, layer.num_heads, found[0], layer.out_proj.weight))

    def end(_: nn.Module, __: Any, found: Any) -> None:
        final.append(found if isinstance(found, Tensor) else found.last_hidden_state)

    read = [*side.attentions, *([] if side.head is None else [side.head])]
    with ExitStack() as stack, torch.enable_grad():
        for hook in (
            side.embedding.register_forward_hook(begin),
            side.blocks.register_forward_hook(end),
            *(each.register_forward_hook(keep, with_kwargs=True) for each in read),
        ):
            stack.callback(hook.remove)
        features = embed(pixels)
    return Seen(features, embedded[0], final[0], layers)


@contextmanager
def only(side: Side, among: Tensor) -> Iterator[None]:
    """Take patches away once all are embedded: the blocks read the others alone.

    Args:
        side: as of `watch`.
        among: [B, N] bool, which patches of each image are left, equally many of each.
    """
    images, patches = among.shape

    def cut(_: nn.Module, __: Any, x: Tensor) -> Tensor:
        left = x[:, -patches:][among].view(images, -1, x.shape[-1])
        return torch.cat([x[:, :-patches], left], dim=1)

    hook = side.embedding.register_forward_hook(cut)
    try:
        yield
    finally:
        hook.remove()


def _layer(parts: tuple[Tensor, ...], heads: int, given: Tensor, out: Tensor) -> Layer:
    """One layer from its queries, keys and values, heads side by side."""
    queries, keys, values = (
        each.view(*each.shape[:2], heads, -1).transpose(1, 2) for each in parts
    )
    weights = (queries @ keys.mT * queries.shape[-1] ** -0.5).softmax(dim=-1)
    return Layer(weights.detach(), values.detach(), given, out.detach())
