"""Which patches attend to one another: the clusters of every block and head."""

import torch
from torch import Tensor

from semtok.models.clusters import cluster_order
from semtok.models.encoder import VisualTokenEncoder
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
            order = cluster_order(k[:, :, clusters.leading :], clusters.order, clusters.layer)
            places = torch.arange(order.shape[2], device=order.device)
            numbers = places // (len(places) // clusters.count)
            found.append(torch.empty_like(order).scatter_(2, order, numbers.expand_as(order)))
    return torch.stack(found, dim=1)
