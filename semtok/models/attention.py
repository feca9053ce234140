"""Self-attention with a bias added to its scores: arXiv 2405.16401, as reconstructed here.

The bias of two tokens grows with the relations and neighbourhoods that join them. It steers
attention and forbids nothing, so an unrelated pair has a bias of 0, not of minus infinity.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.tokens.batch import TokenBatch

#: Which columns of `TokenBatch.edges` hold the two tokens of a biased pair: with subject s,
#: object o and the relation's own token p, the pairs (s,o), (o,s), (s,p), (p,s), (p,o), (o,p).
_RELATION_PAIRS = ((0, 1), (1, 0), (0, 3), (3, 0), (3, 1), (1, 3))


class AdditiveBias(nn.Module):
    """What is added to attention scores: learned weights times counts of joined pairs.

    B[i, j] = relation[layer, head] * (relations between tokens i and j)
            + neighbour[layer, head] * (1 if j is among the nearest neighbours of i)

    The rows and columns of [CLS] are 0. Weights start at 0, so training starts from plain
    attention; another sharing of them (per layer, one scalar) is another shape of the tables.
    """

    def __init__(self, depth: int, heads: int, relations: bool, neighbours: bool) -> None:
        """Start from no bias.

        Args:
            depth: number of layers.
            heads: attention heads of a layer.
            relations: whether relations add to the scores.
            neighbours: whether nearest neighbours do.
        """
        super().__init__()
        self.relation = nn.Parameter(torch.zeros(depth, heads)) if relations else None
        self.neighbour = nn.Parameter(torch.zeros(depth, heads)) if neighbours else None
        self.depth = depth

    def forward(self, batch: TokenBatch, padding: Tensor | None) -> list[Tensor | None]:
        """The bias of each layer for a batch of token sets of N tokens, [CLS] put first.

        Args:
            batch: the token sets.
            padding: `key_padding` of the batch, part of every layer's bias.

        Returns:
            One a layer: [B, heads or 1, N+1 or 1, N+1], or None where it is 0 everywhere.
        """
        tokens = batch.valid.shape[1]
        terms = []
        if self.relation is not None:
            pairs = batch.edges[:, :, _RELATION_PAIRS].flatten(1, 2)
            terms.append((self.relation, pair_counts(pairs, tokens, self.relation.dtype)))
        if self.neighbour is not None:
            queries = torch.arange(tokens, device=batch.valid.device)[None, :, None]
            pairs = torch.stack([queries.expand_as(batch.neighbours), batch.neighbours], dim=-1)
            counts = pair_counts(pairs.flatten(1, 2), tokens, self.neighbour.dtype)
            terms.append((self.neighbour, counts))
        biases: list[Tensor | None] = []
        for layer in range(self.depth):
            bias = padding
            for table, counts in terms:
                term = table[layer, :, None, None] * counts[:, None]
                bias = term if bias is None else bias + term
            biases.append(bias)
        return biases


def pair_counts(pairs: Tensor, tokens: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Count how often each ordered pair of tokens is listed.

    Args:
        pairs: [B, P, 2] int64, indices of tokens; a pair with an end of -1 counts nowhere.
        tokens: N, the number of tokens of the (padded) token sets.
        dtype: of the result.

    Returns:
        [B, N+1, N+1], with a first row and column of 0 for [CLS].
    """
    side = tokens + 1
    # [CLS] shifts the indices by one, which sends -1 to its row or column, cleared below.
    flat = (pairs[..., 0] + 1) * side + pairs[..., 1] + 1
    counts = torch.zeros(len(pairs), side * side, dtype=dtype, device=pairs.device)
    # Sums of ones are exact, so the order of accumulation leaves the result the same, bit for bit.
    counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=dtype))
    counts = counts.view(-1, side, side)
    counts[:, 0, :] = 0
    counts[:, :, 0] = 0
    return counts


def key_padding(valid: Tensor) -> Tensor | None:
    """The bias that keeps attention off padding.

    Args:
        valid: [B, N] bool, False for padding.

    Returns:
        [B, 1, 1, N+1] float32, -inf for padding and 0 elsewhere, [CLS] first; None where there
        is no padding, so that attention can take its fastest path.
    """
    if bool(valid.all()):
        return None
    padding = torch.zeros(valid.shape, device=valid.device).masked_fill_(~valid, float("-inf"))
    return F.pad(padding, (1, 0))[:, None, None, :]


class Attention(nn.Module):
    """Multi-head self-attention: softmax(QK^T / sqrt(d) + B) V."""

    def __init__(self, width: int, heads: int) -> None:
        """Create the layer.

        Args:
            width: of a token; a multiple of `heads`.
            heads: attention heads.
        """
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None = None,
        causal: bool = False,
        queries: int | None = None,
    ) -> Tensor:
        """Mix tokens.

        Args:
            x: [B, N, width].
            bias: added to the scores; broadcasts to [B, heads, Q, N].
            causal: whether a token sees itself and earlier ones only; excludes `bias`.
            queries: Q, how many of the first tokens to compute; all of them by default.

        Returns:
            [B, Q, width].
        """
        q = self.q(x[:, :queries]).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(x).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if bias is not None:
            bias = bias.to(q.dtype)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
