"""Which patches attend to one another: the clusters of blocks and heads."""

from typing import Any

import torch
from torch import Tensor

from semtok.models.clusters import Clusters, cluster_order
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.secvit_encoder import SecViTEncoder
from semtok.models.watching import watch
from semtok.tokens.batch import TokenBatch


@torch.no_grad()
def cluster_maps(encoder: VisualTokenEncoder, batch: TokenBatch) -> Tensor:
    """The cluster of each patch in every block that has clusters, as the encoder cuts them.

    Args:
        encoder: of a variant with clusters.
        batch: B images of L patches, on the encoder's device.

    Returns:
        [B, blocks, heads, L] int64, 0..C-1, in the order that they were cut from: in the last
        cluster of `semantic` are the patches whose keys are most like the mean of all.
    """
    found: list[Tensor] = []
    for layer, x, _, clusters, _ in watch(encoder, batch).layers:
        if clusters is not None:
            k = layer.kv(x).chunk(2, dim=-1)[0].unflatten(-1, (layer.heads, -1)).transpose(1, 2)
            found.append(_numbers(k[:, :, clusters.leading :], clusters))
    return torch.stack(found, dim=1)


@torch.no_grad()
def stage_cluster_maps(encoder: SecViTEncoder, batch: TokenBatch) -> list[Tensor]:
    """The cluster of each place in the first block of every stage of a SECViT that has clusters.

    Args:
        encoder: in evaluation mode.
        batch: B images, on the encoder's device.

    Returns:
        [B, heads, L] of each stage, numbered as of `cluster_maps`; of an image of S pixels a side
        the first stage has L = S/4 x S/4 places, the next a quarter of them.
    """
    found: list[Tensor] = []

    def keep(layer: Any, given: tuple[Tensor, Tensor]) -> None:
        found.append(_numbers(layer.keys(*given), layer.clusters))

    stages: Any = encoder.backbone.stages
    layers = [stage.blocks[0].attention for stage in stages]
    hooks = [layer.register_forward_pre_hook(keep) for layer in layers if layer.clusters.count > 1]
    try:
        encoder.contextualise(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _numbers(k: Tensor, clusters: Clusters) -> Tensor:
    """The cluster of each of the tokens that keys [B, H, L, d] are of: [B, H, L]."""
    order = cluster_order(k, clusters.order, clusters.layer)
    places = torch.arange(order.shape[2], device=order.device)
    numbers = places // (len(places) // clusters.count)
    return torch.empty_like(order).scatter_(2, order, numbers.expand_as(order))
