"""What each token of an image counts for, by the gradients of a score of the image."""

from collections.abc import Callable
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
    embedded: list[Tensor] = []

    def begin(_layer: nn.Module, _given: tuple[Any, ...], x: Tensor) -> Tensor:
        # Gradients are wanted up to here: what embeds tokens is left out.
        embedded.append(x.detach().requires_grad_())
        return embedded[0]

    hook = encoder.embedding.register_forward_hook(begin)
    try:
        with torch.enable_grad():
            seen = watch(encoder, batch)
            total = score(seen.embedding).sum()
    finally:
        hook.remove()
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


def _attention_gradient(given: Given, gradient: Tensor) -> Tensor:
    """[B, Q, T]: attention times its gradient, which follows from that of what it mixed."""
    layer = given.layer
    weights = layer.weights(given.x, given.bias, given.clusters)[:, :, : gradient.shape[1]]
    values = layer.kv(given.x).unflatten(-1, (2, layer.heads, -1))[:, :, 1].transpose(1, 2)
    of_mixed: Tensor = gradient @ layer.out.weight
    of_heads = of_mixed.view(*of_mixed.shape[:2], layer.heads, -1).transpose(1, 2)
    of_weights: Tensor = of_heads @ values.transpose(-1, -2)
    return (weights * of_weights).clamp(min=0).mean(dim=1)
