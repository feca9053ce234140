"""What each token of an image counts for, by the gradients of a score of the image."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.encoder import VisualTokenEncoder
from semtok.models.watching import Given, watch
from semtok.tokens.batch import TokenBatch


class Relevance(NamedTuple):
    """Values of the N tokens of B images, [B, N]; 0 for padding.

    Attributes:
        gradient_input: the embedded token times the score's gradient there, summed over its width
            (Shrikumar et al. 2016, arXiv 1605.01713): the first-order part of what it adds.
        attention_gradient: each head's attention times the score's gradient there, what is below 0
            left out, the mean over heads, carried through all blocks beside the residual stream
            (Chefer, Gur and Wolf 2021, arXiv 2103.15679, of self-attention).
    """

    gradient_input: Tensor
    attention_gradient: Tensor


def relevance(
    encoder: VisualTokenEncoder, batch: TokenBatch, score: Callable[[Tensor], Tensor]
) -> Relevance:
    """Attribute a score of each image to its tokens.

    Args:
        encoder: ours, of any variant without gates.
        batch: B images of N tokens, on the encoder's device.
        score: of the images' embeddings [B, embedding], differentiable: [B], each of its own row.
    """
    with torch.enable_grad(), _embedded(encoder) as embedded:
        seen = watch(encoder, batch)
        total = score(seen.embedding).sum()
    mixed = [each.mixed for each in seen.layers]
    of_input, *of_mixed = torch.autograd.grad(total, [*embedded, *mixed])
    tokens = batch.valid.shape[1]
    with torch.no_grad():
        product = (embedded[0] * of_input).sum(dim=-1)
        flow = F.one_hot(torch.zeros_like(batch.kind[:, 0]), product.shape[1]).to(product)
        # [CLS] is what is read, so its row alone is followed, from the last block to the first.
        for given, gradient in zip(reversed(seen.layers), reversed(of_mixed), strict=True):
            through = _attention_gradient(given, gradient)
            flow = flow + (flow[:, None, : through.shape[1]] @ through)[:, 0]
        found = (each[:, -tokens:].masked_fill(~batch.valid, 0.0) for each in (product, flow))
        return Relevance(*found)


def gradient_input(
    encoder: nn.Module, batch: TokenBatch, score: Callable[[Tensor], Tensor]
) -> Tensor:
    """The first attribution of `Relevance` alone, which asks nothing of the encoder's attention.

    With gates a token counts as long as it is kept. An encoder that joins patches to a picture
    embeds no tokens one by one: there it is the bytes of each, scaled to -1..1, times the score's
    gradient there.

    Args:
        encoder: of any variant.
        batch, score: as of `relevance`.

    Returns:
        [B, N]; 0 for padding.
    """
    with torch.enable_grad():
        if isinstance(encoder, VisualTokenEncoder):
            with _embedded(encoder) as embedded:
                total = score(encoder(batch)).sum()
            given, offset = embedded[0], 0.0
        else:
            # Times the gradient, 127.5 cancels out of the scale.
            dtype, offset = next(encoder.parameters()).dtype, 127.5
            given = batch.features.to(dtype).requires_grad_()
            total = score(encoder(replace(batch, features=given))).sum()
    (gradient,) = torch.autograd.grad(total, [given])
    with torch.no_grad():
        product = ((given - offset) * gradient).sum(dim=-1)
        return product[:, -batch.valid.shape[1] :].masked_fill(~batch.valid, 0.0)


def attention_gradient(weights: Tensor, values: Tensor, out: Tensor, gradient: Tensor) -> Tensor:
    """Attention times its gradient where that is positive, the mean over heads, of one layer.

    Args:
        weights: [B, heads, Q, T], the attention.
        values: [B, heads, T, width of a head], what it mixes.
        out: [width, width], the weight by which what was mixed is projected.
        gradient: [B, Q, width], of what the layer gave; that of attention follows from it.

    Returns:
        [B, Q, T].
    """
    of_mixed: Tensor = gradient @ out
    of_heads = of_mixed.view(*of_mixed.shape[:2], weights.shape[1], -1).transpose(1, 2)
    return (weights * (of_heads @ values.mT)).clamp(min=0).mean(dim=1)


@contextmanager
def _embedded(encoder: VisualTokenEncoder) -> Iterator[list[Tensor]]:
    """The tokens that a forward pass embeds, the leading ones first: gradients end with them."""
    found: list[Tensor] = []

    def begin(_layer: nn.Module, _given: tuple[Any, ...], x: Tensor) -> Tensor:
        # What embeds tokens is left out.
        found.append(x.detach().requires_grad_())
        return found[0]

    hook = encoder.embedding.register_forward_hook(begin)
    try:
        yield found
    finally:
        hook.remove()


def _attention_gradient(given: Given, gradient: Tensor) -> Tensor:
    layer = given.layer
    weights = layer.weights(given.x, given.bias, given.clusters)[:, :, : gradient.shape[1]]
    values = layer.kv(given.x).unflatten(-1, (2, layer.heads, -1))[:, :, 1].transpose(1, 2)
    return attention_gradient(weights, values, layer.out.weight, gradient)
