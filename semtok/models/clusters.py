"""Attention inside equal clusters of tokens: semantic equitable clustering, arXiv 2405.13337.

Each head sorts the tokens by how similar their keys are to the mean of all its keys, cuts that
order into C parts of equal length, and lets tokens attend within their part alone. So what a head
looks at costs 1/C of dense attention, and no part is longer than another.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.errors import SemtokError
from semtok.params import ClusterOrder


@dataclass(frozen=True)
class Clusters:
    """The attention structure of one layer.

    Attributes:
        count: C, clusters of equal length.
        order: what they are cut from.
        layer: its number, which decides what order: random draws.
        leading: how many of the first tokens belong to all clusters: [CLS] and registers.
    """

    count: int
    order: ClusterOrder
    layer: int
    leading: int = 1

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention [B, H, N, d] of q, k, v [B, H, N, d], as `clustered_attention`."""
        order = cluster_order(k[:, :, self.leading :], self.order, self.layer)
        return clustered_attention(q, k, v, self.count, order, self.leading)

    def bias(self, k: Tensor) -> Tensor:
        """What `attend` is in dense attention: [B, H, N, N], -inf between clusters, else 0."""
        order = cluster_order(k[:, :, self.leading :], self.order, self.layer)
        place = torch.empty_like(order)
        place.scatter_(2, order, torch.arange(order.shape[2], device=k.device).expand_as(order))
        of_token = place // (order.shape[2] // self.count)
        apart = F.pad(of_token[..., :, None] != of_token[..., None, :], (self.leading, 0) * 2)
        return torch.zeros_like(apart, dtype=k.dtype).masked_fill_(apart, float("-inf"))

    def pairs(self, tokens: int) -> int:
        """How many scores are computed among N tokens, the leading ones counted."""
        clustered = tokens - self.leading
        return self.leading * tokens + clustered * (clustered // self.count + self.leading)


def clustered_attention(
    q: Tensor, k: Tensor, v: Tensor, clusters: int, order: Tensor, leading: int = 0
) -> Tensor:
    """softmax(QK^T / sqrt(d)) V, the scores between clusters at minus infinity.

    Args:
        q: [B, H, M+L, d], M leading tokens and L that are clustered.
        k: as `q`.
        v: as `q`.
        clusters: C, which divides L; 1 is dense attention.
        order: [B, H, L] int64, a permutation of the clustered tokens; every L/C of it in turn
            are a cluster.
        leading: M, how many of the first tokens belong to all clusters: they attend to all tokens,
            and all tokens to them.

    Returns:
        [B, H, M+L, d], in the order of `q`.

    Raises:
        SemtokError: C does not divide L.
    """
    tokens = q.shape[2] - leading
    if tokens % clusters:
        raise SemtokError(f"clusters: {clusters} does not divide {tokens} tokens")
    order = _rows(order)
    back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=q.device))
    parts = (*q.shape[:2], clusters, tokens // clusters, q.shape[3])
    q_parts, k_parts, v_parts = (
        _moved(each[:, :, leading:], order, back).view(parts) for each in (q, k, v)
    )
    if leading:
        k_parts, v_parts = (
            torch.cat([each[:, :, None, :leading].expand(-1, -1, clusters, -1, -1), part], dim=3)
            for each, part in ((k, k_parts), (v, v_parts))
        )
    # Five dimensions would leave the fast kernels: clusters stand where heads do.
    mixed = F.scaled_dot_product_attention(
        q_parts.flatten(0, 1), k_parts.flatten(0, 1), v_parts.flatten(0, 1)
    )
    mixed = _moved(mixed.reshape(parts).flatten(2, 3), back, order)
    if not leading:
        return mixed
    of_leading = F.scaled_dot_product_attention(q[:, :, :leading], k, v)
    return torch.cat([of_leading, mixed], dim=2)


@torch.no_grad()
def cluster_order(k: Tensor, kind: ClusterOrder, seed: int) -> Tensor:
    """The order in which tokens are cut into clusters, without a gradient.

    Args:
        k: [B, H, L, d] keys of the tokens to be clustered, in reading order.
        kind: semantic: ascending cosine to the mean of all keys, as the paper's; of equals the
            first. principal: ascending projection on the first principal component of the keys.
            spatial: reading order. random: drawn once for each head, the same for all images.
        seed: of `random`: that of the layer, so that layers differ.

    Returns:
        [B, H, L] int64.
    """
    images, heads, tokens, _ = k.shape
    if kind == "spatial":
        return torch.arange(tokens, device=k.device).expand(images, heads, tokens)
    if kind == "random":
        random = torch.Generator().manual_seed(seed)
        drawn = torch.rand(heads, tokens, generator=random).argsort(dim=-1)
        return drawn.to(k.device).expand(images, heads, tokens)
    # The order of almost equal numbers should not be that of bfloat16, which eigh does not know.
    with torch.autocast(k.device.type, enabled=False):
        scores = _scores(k if k.dtype == torch.float64 else k.float(), kind)
    order: Tensor = scores.argsort(dim=-1, stable=True)
    return order


def _scores(k: Tensor, kind: ClusterOrder) -> Tensor:
    """What `semantic` and `principal` order the keys [B, H, L, d] by: [B, H, L]."""
    mean = k.mean(dim=2, keepdim=True)
    if kind == "semantic":
        return F.cosine_similarity(k, mean, dim=-1)
    centred = k - mean
    # Eigenvalues ascend. An eigenvector's sign turns the order round and leaves the clusters.
    towards = torch.linalg.eigh(centred.mT @ centred).eigenvectors[..., -1]
    scores: Tensor = (centred @ towards[..., None]).squeeze(-1)
    return scores


def _rows(order: Tensor) -> Tensor:
    """An order of tokens [B, H, L] as one of the rows of [B, H, L, d] flattened to [BHL, d]."""
    first = torch.arange(order[..., 0].numel(), device=order.device) * order.shape[2]
    return (order + first.view(*order.shape[:2], 1)).flatten()


def _moved(x: Tensor, order: Tensor, back: Tensor) -> Tensor:
    """Tokens of x [B, H, L, d] in the order of `_rows`."""
    moved: Tensor = _Permuted.apply(x.flatten(0, 2), order, back)  # type: ignore[no-untyped-call]
    return moved.view(x.shape)


class _Permuted(torch.autograd.Function):
    """Rows in another order; the gradient's rows go back the same way.

    PyTorch's own gradient adds rows up, which takes longer, as it cannot know that none is taken
    twice.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        """Rows of x [R, d] by `order` [R]; `back` is the inverse of that permutation."""
        ctx.save_for_backward(order, back)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Of x alone."""
        order, back = ctx.saved_tensors
        moved: Tensor = _Permuted.apply(gradients[0], back, order)  # type: ignore[no-untyped-call]
        return moved, None, None
