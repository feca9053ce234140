"""Self-attention with a bias added to its scores: arXiv 2405.16401, as reconstructed here.

The bias of two tokens grows with the relations and neighbourhoods that join them. It steers
attention and forbids nothing, so an unrelated pair has a bias of 0, not of minus infinity.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.clusters import Clusters
from semtok.params import BiasMode
from semtok.tokens.batch import TokenBatch

#: Which columns of `TokenBatch.edges` hold the two tokens of a biased pair: with subject s,
#: object o and the relation's own token p, the pairs (s,o), (o,s), (s,p), (p,s), (p,o), (o,p).
_RELATION_PAIRS = ((0, 1), (1, 0), (0, 3), (3, 0), (3, 1), (1, 3))


class AdditiveBias(nn.Module):
    """What is added to attention scores: weights times counts of joined pairs.

    B[i, j] = relation[layer, head] * (relations between tokens i and j)
            + neighbour[layer, head] * (1 if j is among the nearest neighbours of i)

    Rows and columns of [CLS] and registers are 0. Learned weights start at 0, so training starts
    from plain attention. Who shares them is the mode, and with it the shape of the tables:

    - `layer_head`: nobody, [depth, heads];
    - `head`: the layers, [1, heads];
    - `scalar`: all layers and heads, [1, 1];
    - `predicate`: the same, but each predicate has a weight of its own, [predicates + 1, 1] by
      predicate id, whose row 0 (unknown) stays 0. Neighbourhoods weigh as one more predicate would,
      [1, 1].
    - `fixed`: nothing is learned; both are a stated number.

    Attributes:
        relation: table of relations, a buffer outside the state where it is fixed.
        neighbour: likewise, of nearest neighbours.
    """

    relation: Tensor | None
    neighbour: Tensor | None

    def __init__(
        self,
        depth: int,
        heads: int,
        relations: bool,
        neighbours: bool,
        mode: BiasMode = "layer_head",
        predicates: int = 0,
        value: float | None = None,
        leading: int = 1,
    ) -> None:
        """Start from no bias, or from the stated one.

        Args:
            depth: number of layers.
            heads: attention heads of a layer.
            relations: whether relations add to the scores.
            neighbours: whether nearest neighbours do.
            mode: who shares the weights.
            predicates: names in the vocabulary, for mode `predicate`.
            value: of all weights, for mode `fixed`.
            leading: tokens before those of the image: [CLS] and registers.
        """
        super().__init__()
        rows, columns = {"layer_head": (depth, heads), "head": (1, heads)}.get(mode, (1, 1))
        relation_rows = predicates + 1 if mode == "predicate" else rows
        for name, wanted, length in (
            ("relation", relations, relation_rows),
            ("neighbour", neighbours, rows),
        ):
            if wanted and mode == "fixed":
                assert value is not None, "params.yaml was checked for it"
                self.register_buffer(name, torch.full((length, columns), value), persistent=False)
            else:
                table = nn.Parameter(torch.zeros(length, columns)) if wanted else None
                self.register_parameter(name, table)
        self.depth = depth
        self.mode = mode
        self.leading = leading

    @property
    def adds(self) -> bool:
        """Whether anything is added to any score."""
        return self.relation is not None or self.neighbour is not None

    def forward(self, batch: TokenBatch, padding: Tensor | None) -> list[Tensor | None]:
        """The bias of each layer for a batch of token sets of N tokens, C leading ones put first.

        Args:
            batch: the token sets.
            padding: `key_padding` of the batch, part of every layer's bias.

        Returns:
            One a layer: [B, heads or 1, C+N or 1, C+N], or None where it is 0 everywhere.
        """
        tokens = batch.valid.shape[1]
        terms = []
        if self.relation is not None:
            pairs = batch.edges[:, :, _RELATION_PAIRS].flatten(1, 2)
            if self.mode == "predicate":
                known = batch.edges[..., 2].clamp(min=0)
                # One that training never met may have an id behind the table: it is unknown here.
                known = known.masked_fill(known >= len(self.relation), 0)
                weights = F.embedding(known, self.relation)
                weights = weights.expand(-1, -1, len(_RELATION_PAIRS)).flatten(1)
                terms.append((weights.new_ones(1, 1), pair_sums(pairs, tokens, weights)))
            else:
                terms.append((self.relation, pair_counts(pairs, tokens, self.relation.dtype)))
        if self.neighbour is not None:
            queries = torch.arange(tokens, device=batch.valid.device)[None, :, None]
            pairs = torch.stack([queries.expand_as(batch.neighbours), batch.neighbours], dim=-1)
            counts = pair_counts(pairs.flatten(1, 2), tokens, self.neighbour.dtype)
            terms.append((self.neighbour, counts))
        if registers := self.leading - 1:
            terms = [(table, F.pad(sums, (registers, 0, registers, 0))) for table, sums in terms]
        biases: list[Tensor | None] = []
        # Layers that share their weights share the bias itself.
        for layer in range(max((len(table) for table, _ in terms), default=1)):
            bias = padding
            for table, counts in terms:
                term = table[layer, :, None, None] * counts[:, None]
                bias = term if bias is None else bias + term
            biases.append(bias)
        return biases if len(biases) == self.depth else biases * self.depth


def pair_counts(pairs: Tensor, tokens: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Count how often each ordered pair of tokens is listed.

    Args:
        pairs: [B, P, 2] int64, indices of tokens; a pair with an end of -1 counts nowhere.
        tokens: N, the number of tokens of the (padded) token sets.
        dtype: of the result.

    Returns:
        [B, N+1, N+1], with a first row and column of 0 for [CLS].
    """
    # Sums of ones are exact, so the order of accumulation leaves the result the same, bit for bit.
    return pair_sums(pairs, tokens, torch.ones_like(pairs[..., 0], dtype=dtype))


def pair_sums(pairs: Tensor, tokens: int, weights: Tensor) -> Tensor:
    """Add up the weights of each ordered pair of tokens.

    Args:
        pairs: [B, P, 2] int64, as for `pair_counts`.
        tokens: N, as for `pair_counts`.
        weights: [B, P], of each listed pair.

    Returns:
        [B, N+1, N+1], with a first row and column of 0 for [CLS].
    """
    side = tokens + 1
    # [CLS] shifts the indices by one, which sends -1 to its row or column, cleared below.
    flat = (pairs[..., 0] + 1) * side + pairs[..., 1] + 1
    sums = torch.zeros(len(pairs), side * side, dtype=weights.dtype, device=pairs.device)
    sums.scatter_add_(1, flat, weights)
    sums = sums.view(-1, side, side)
    sums[:, 0, :] = 0
    sums[:, :, 0] = 0
    return sums


def key_padding(valid: Tensor, leading: int = 1) -> Tensor | None:
    """The bias that keeps attention off padding, and off whatever else is to be nobody's key.

    Args:
        valid: [B, N] bool, False for padding.
        leading: C, tokens before those of the image, which always are keys: [CLS] and registers.

    Returns:
        [B, 1, 1, C+N] float32, -inf for padding and 0 elsewhere; None where there is no padding,
        so that attention can take its fastest path.
    """
    if bool(valid.all()):
        return None
    padding = torch.zeros(valid.shape, device=valid.device).masked_fill_(~valid, float("-inf"))
    return F.pad(padding, (leading, 0))[:, None, None, :]


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
        clusters: Clusters | None = None,
    ) -> Tensor:
        """Mix tokens.

        Args:
            x: [B, N, width].
            bias: added to the scores; broadcasts to [B, heads, Q, N].
            causal: whether a token sees itself and earlier ones only; excludes `bias`.
            queries: Q, how many of the first tokens to compute; all of them by default.
            clusters: within which tokens attend; excludes the three above.

        Returns:
            [B, Q, width].
        """
        q = self.q(x[:, :queries]).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(x).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if clusters is not None:
            mixed = clusters.attend(q, k, v)
        else:
            bias = None if bias is None else bias.to(q.dtype)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def weights(
        self, x: Tensor, bias: Tensor | None = None, clusters: Clusters | None = None
    ) -> Tensor:
        """What `forward` mixes values by: softmax(QK^T / sqrt(d) + B), written out.

        Args:
            x: [B, N, width].
            bias: added to the scores; broadcasts to [B, heads, N, N].
            clusters: as of `forward`.

        Returns:
            [B, heads, N, N], from each token (a row, of sum 1) to each.
        """
        q = self.q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k = self.kv(x).unflatten(-1, (2, self.heads, -1))[:, :, 0].transpose(1, 2)
        scores: Tensor = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if clusters is not None:
            bias = clusters.bias(k)
        return (scores if bias is None else scores + bias).softmax(dim=-1)
