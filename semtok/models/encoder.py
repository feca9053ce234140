"""The visual token encoder: token sets of any kind through one stack of transformer blocks."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.attention import AdditiveBias, key_padding
from semtok.models.clusters import Clusters
from semtok.models.geometry import BOX, geometry_embedding, geometry_flops
from semtok.models.predicates import NamedPredicates
from semtok.models.registers import registers
from semtok.models.transformer import block_flops, blocks
from semtok.params import (
    BiasMode,
    ClusterOrder,
    EncoderSettings,
    GateSettings,
    PredicateEmbedding,
    VisionEncoder,
)
from semtok.tokens.batch import INTANGIBLE, TokenBatch

_KINDS = INTANGIBLE + 1


@dataclass(frozen=True)
class VisionConfig:
    """What the token sets hold, and what the encoder makes of it.

    Attributes:
        feature_dim: numbers of a token's features, D of `TokenBatch`.
        patches: patches of an image, each with a learned position; None: no grid.
        geometry: whether there are tokens with geometry: all but patches have it.
        predicates: vocabulary of the training shards; predicate id i is `predicates[i - 1]`, and
            0 is unknown.
        intangible: whether there are intangible tokens.
        relation_bias: additive attention along relations.
        neighbour_bias: additive attention to nearest neighbours.
        encoder: which one.
        bias_mode: how the weights of both biases are shared.
        bias_value: that of mode `fixed`.
        clusters: equal clusters of patches, within which they attend; None: no clusters.
        cluster_order: what the clusters are cut from.
        registers: learned tokens between [CLS] and the image's (arXiv 2309.16588).
        key_mask: whether attention reads foreground tokens alone (arXiv 2404.18152).
        predicate_embedding: what intangible tokens are embedded by.
        gates: of an encoder that is told how many tokens it may keep; None: all are kept.
        geometry_dim: numbers of a token's geometry, G of `TokenBatch`.
    """

    feature_dim: int
    patches: int | None
    geometry: bool
    predicates: tuple[str, ...]
    intangible: bool
    relation_bias: bool
    neighbour_bias: bool
    encoder: VisionEncoder = "tokens"
    bias_mode: BiasMode = "layer_head"
    bias_value: float | None = None
    clusters: int | None = None
    cluster_order: ClusterOrder = "semantic"
    registers: int = 0
    key_mask: bool = False
    predicate_embedding: PredicateEmbedding = "table"
    gates: GateSettings | None = None
    geometry_dim: int = BOX


class VisualTokenEncoder(nn.Module):
    """Token sets -> one vector an image."""

    def __init__(self, vision: VisionConfig, encoder: EncoderSettings) -> None:
        """Create the encoder.

        Args:
            vision: the inputs; decides embeddings and bias tables.
            encoder: the blocks; the same for every variant.
        """
        super().__init__()
        # What every variant shares comes first: one seed gives all of them the same start.
        self.blocks = blocks(encoder.depth, encoder.width, encoder.heads, encoder.mlp_ratio)
        self.norm = nn.LayerNorm(encoder.width)
        self.projection = nn.Linear(encoder.width, encoder.embedding, bias=False)
        nn.init.normal_(self.projection.weight, std=encoder.width**-0.5)
        self.embedding = TokenEmbedding(vision, encoder)
        self.leading = 1 + vision.registers
        # [CLS], whose scores have no bias, is all that the last block computes.
        self.bias = AdditiveBias(
            encoder.depth - 1,
            encoder.heads,
            vision.relation_bias,
            vision.neighbour_bias,
            vision.bias_mode,
            len(vision.predicates),
            vision.bias_value,
            self.leading,
        )
        self.clusters = [
            Clusters(vision.clusters, vision.cluster_order, layer, self.leading)
            if vision.clusters
            else None
            for layer in range(encoder.depth - 1)
        ]
        self.settings = encoder
        self._key_mask = vision.key_mask

    @property
    def shared(self) -> nn.ModuleList:
        """What has the same parameters in every variant."""
        return nn.ModuleList([self.blocks, self.norm, self.projection])

    def forward(self, batch: TokenBatch) -> Tensor:
        """Encode a batch of B images: [B, embedding], unit length."""
        return self.summarise(*self.contextualise(batch))

    def contextualise(self, batch: TokenBatch) -> tuple[Tensor, Tensor | None]:
        """Mix the N tokens of each of B images with C leading ones: [CLS], then registers.

        Returns:
            [B, C+N, width], what the last block reads; and `key_padding` of the batch.
        """
        x = self.embedding(batch)
        padding = key_padding(self.keys(batch), self.leading)
        biases = self.bias(batch, padding)
        for block, bias, clusters in zip(self.blocks[:-1], biases, self.clusters, strict=True):
            x = block(x, bias, clusters=clusters)
        return x, padding

    def summarise(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """Read what `contextualise` returned by the last block: [B, embedding], unit length."""
        cls = self.blocks[-1](x, padding, queries=1)[:, 0]
        return F.normalize(self.projection(self.norm(cls)), dim=-1)

    def keys(self, batch: TokenBatch) -> Tensor:
        """Which tokens attention may read, [B, N] bool."""
        if not self._key_mask:
            return batch.valid
        assert batch.foreground is not None, "training has refused such tokens"
        return batch.valid & batch.foreground

    def flops(self, tokens: int, intangible: int = 0) -> int:
        """FLOPs of encoding one image, matrix products alone; a multiply-add is two.

        Args:
            tokens: of the image; [CLS], registers and padding not counted. Masked keys are.
            intangible: how many of them are intangible: those have no pixels to embed.
        """
        width, ratio, keys = self.settings.width, self.settings.mlp_ratio, self.leading + tokens
        pairs = [each.pairs(keys) if each else keys**2 for each in self.clusters]
        return (
            self.embedding.flops(tokens, intangible)
            + sum(block_flops(width, ratio, keys, keys, each) for each in pairs)
            + block_flops(width, ratio, queries=1, keys=keys)
            + 2 * self.projection.weight.numel()
        )


class TokenEmbedding(nn.Module):
    """Tokens as vectors: what they show, of which kind they are, where they are."""

    def __init__(self, vision: VisionConfig, encoder: EncoderSettings) -> None:
        """Create the parts that the tokens need.

        Args:
            vision: what the tokens hold.
            encoder: the blocks that read them.
        """
        super().__init__()
        width = encoder.width
        self.cls = nn.Parameter(torch.empty(width))
        self.kind = nn.Parameter(torch.empty(_KINDS, width))
        self.features = nn.Linear(vision.feature_dim, width)
        self.position = nn.Parameter(torch.empty(vision.patches, width)) if vision.patches else None
        self.geometry = geometry_embedding(vision.geometry_dim, width) if vision.geometry else None
        self.predicate = (
            nn.Parameter(torch.empty(len(vision.predicates) + 1, width))
            if vision.intangible and vision.predicate_embedding == "table"
            else None
        )
        self.named = (
            NamedPredicates(encoder.embedding, width)
            if vision.predicate_embedding == "text"
            else None
        )
        for table in (self.cls, self.kind, self.position, self.predicate):
            if table is not None:
                nn.init.normal_(table, std=width**-0.5)
        nn.init.normal_(self.features.weight, std=vision.feature_dim**-0.5)
        nn.init.zeros_(self.features.bias)
        self.registers = registers(vision.registers, width) if vision.registers else None

    def forward(self, batch: TokenBatch) -> Tensor:
        """Embed B token sets of N tokens: [B, C+N, width], [CLS] and registers first."""
        x = self._content(batch) + F.embedding(batch.kind, self.kind)
        if self.position is not None:
            # Patches come first. A token behind them stands for a relation, which has no place in
            # the grid.
            x = x + F.pad(self.position, (0, 0, 0, x.shape[1] - len(self.position)))
        if self.geometry is not None:
            placed = self.geometry(batch.geometry[:, self._patches :].to(self.kind.dtype))
            x = x + F.pad(placed, (0, 0, self._patches, 0))
        leading = [self.cls[None]] if self.registers is None else [self.cls[None], self.registers]
        return torch.cat([*(each.expand(len(x), -1, -1) for each in leading), x], dim=1)

    @property
    def _patches(self) -> int:
        return 0 if self.position is None else len(self.position)

    def _content(self, batch: TokenBatch) -> Tensor:
        """Embedded pixels, or the embedded predicate of an intangible token: [B, N, width]."""
        table = self.predicate if self.named is None else self.named()
        if table is None:
            return self.pixels(batch.features)
        intangible = batch.kind == INTANGIBLE
        # Intangible tokens come last: the columns that only they and padding use are not embedded.
        columns = int((batch.valid & ~intangible).sum(1).max())
        pixels = self.pixels(batch.features[:, :columns])
        pixels = F.pad(pixels, (0, 0, 0, batch.features.shape[1] - columns))
        predicates = F.embedding(_predicate_of_token(batch), table).to(pixels.dtype)
        return torch.where(intangible[..., None], predicates, pixels)

    def pixels(self, features: Tensor) -> Tensor:
        """Bytes 0..255, scaled to -1..1, or a backbone's numbers, normalised, embedded."""
        if features.is_floating_point():
            numbers = features.to(self.kind.dtype)
            # Backbones differ in scale by orders of magnitude, and within one by number.
            return self.features(F.layer_norm(numbers, numbers.shape[-1:]))  # type: ignore[no-any-return]
        return self.features(features.to(self.kind.dtype) / 127.5 - 1)  # type: ignore[no-any-return]

    def flops(self, tokens: int, intangible: int) -> int:
        """As `VisualTokenEncoder.flops`, of the embedding alone.

        A table of named predicates is projected once for all images, which is no image's cost.
        """
        width = self.features.out_features
        geometry = geometry_flops(self.geometry) if self.geometry is not None else 0
        pixels = 2 * self.features.in_features * width
        return pixels * (tokens - intangible) + geometry * (tokens - self._patches)


def _predicate_of_token(batch: TokenBatch) -> Tensor:
    """The predicate id of each token that stands for a relation, [B, N]; 0 for all others."""
    rows, tokens = batch.kind.shape
    ids = torch.zeros(rows, tokens + 1, dtype=torch.int64, device=batch.kind.device)
    # Edges without a token of their own (and padding) have -1 there: column 0, dropped.
    ids.scatter_(1, batch.edges[..., 3] + 1, batch.edges[..., 2])
    return ids[:, 1:]
