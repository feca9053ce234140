"""Where attention looks: its weights in every block and head, and what is read out of them."""

from typing import Literal

import torch
from torch import Tensor

from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.watching import watch
from semtok.tokens.batch import TokenBatch


@torch.no_grad()
def attention_maps(encoder: VisualTokenEncoder, batch: TokenBatch) -> Tensor:
    """The attention of all tokens in every block and head, as the encoder computes it.

    Exact: from what each attention layer is given in a forward pass, and its own parameters. The
    last block, of which a model reads [CLS] alone, is computed for all tokens.

    Args:
        encoder: ours, of any variant without gates.
        batch: B images of N tokens, on the encoder's device.

    Returns:
        [B, depth, heads, C+N, C+N] in the encoder's precision: from each token (a row, of sum 1)
        to each. Of the C = `encoder.leading` first tokens 0 is [CLS], the others are registers;
        padding has rows too, and columns of 0.

    Raises:
        ValueError: the encoder has gates, which take tokens out between blocks.
    """
    if isinstance(encoder, AdaptiveEncoder):
        raise ValueError("an encoder with gates has no maps of all tokens; take one without")
    layers = watch(encoder, batch).layers
    return torch.stack([each.layer.weights(each.x, each.bias, each.clusters) for each in layers], 1)


def rollout(maps: Tensor, attention: float = 0.5, heads: Literal["mean", "max"] = "mean") -> Tensor:
    """How much of each token flows into each through all blocks (Abnar & Zuidema 2020).

    The product of a A + (1 - a) I over blocks, the last one leftmost; I stands for the residual
    stream. As first published, heads are averaged before, and a is 0.5. As in SPiT (arXiv
    2408.07680), each head has its own product, of which the largest counts, and a is 0.9. SPiT's
    released code multiplies in the other order and clips products from below, which would give
    masked tokens a share; neither is done here.

    Args:
        maps: [B, depth, heads, T, T] of `attention_maps`.
        attention: a, the share of attention beside the residual stream, 0..1.
        heads: how they become one.

    Returns:
        [B, T, T], from each token (a row) to the input tokens; rows sum to 1 for "mean".
    """
    if heads == "mean":
        maps = maps.mean(dim=2, keepdim=True)
    flow = identity = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)
    for weights in maps.unbind(dim=1):
        flow = (attention * weights + (1 - attention) * identity) @ flow
    return flow.amax(dim=1)


def mass(maps: Tensor, keys: Tensor) -> Tensor:
    """The share of [CLS]'s attention that some tokens of the image get.

    Args:
        maps: [B, ..., C+N, C+N] of `attention_maps` or `rollout`.
        keys: [B, N] bool, which tokens; `background` says those that no mask covers.

    Returns:
        [B, ...], 0..1.
    """
    images, tokens = keys.shape
    to_tokens = maps[..., 0, -tokens:]
    among = keys.view(images, *[1] * (to_tokens.ndim - 2), tokens)
    return (to_tokens * among).sum(dim=-1)


def background(batch: TokenBatch) -> Tensor:
    """The patches that no mask covers, [B, N] bool.

    Raises:
        ValueError: the batch's tokenizer does not tell.
    """
    if batch.foreground is None:
        raise ValueError("these token sets tell no foreground; take the tokenizer grid_relations")
    return batch.valid & ~batch.foreground
