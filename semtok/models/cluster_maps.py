"""Which patches attend to one another: the clusters of every block and head."""

from typing import Any

import torch
from torch import Tensor, nn

from semtok.models.attention import Attention
from semtok.models.clusters import Clusters, cluster_order
from semtok.models.encoder import VisualTokenEncoder
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

    def keep(layer: nn.Module, given: tuple[Any, ...]) -> None:
        assert isinstance(layer, Attention)
        x, *_, clusters = given
        if isinstance(clusters, Clusters):
            k = layer.kv(x).chunk(2, dim=-1)[0].unflatten(-1, (layer.heads, -1)).transpose(1, 2)
            order = cluster_order(k[:, :, clusters.leading :], clusters.order, clusters.layer)
            places = torch.arange(order.shape[2], device=order.device)
            numbers = places // (len(places) // clusters.count)
            found.append(torch.empty_like(order).scatter_(2, order, numbers.expand_as(order)))

    layers = [each for each in encoder.blocks.modules() if isinstance(each, Attention)]
    hooks = [each.register_forward_pre_hook(keep) for each in layers]
    try:
        encoder(batch)
    finally:
        for each in hooks:
            each.remove()
    return torch.stack(found, dim=1)
