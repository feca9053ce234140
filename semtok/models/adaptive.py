"""An encoder that is told how many tokens it may keep: arXiv 2405.02330.

In training, dropped tokens are masked, so that a batch keeps its shape; otherwise they are removed,
so that a smaller budget costs less time. Both give the same vectors (tested).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.gates import Gates, gated
from semtok.models.kept import Kept, add_noise
from semtok.models.transformer import Block, block_flops
from semtok.params import EncoderSettings
from semtok.tokens.batch import INTANGIBLE, TokenBatch


@dataclass(frozen=True)
class Sending:
    """What happens to tokens between the block that sends them and the one that receives them.

    Attributes:
        block: the sending block, counted from 1; the next one receives.
        snr: of each token, in dB, [CLS] and the budget token included; None: no noise.
        seed: of the noise.
        drop: which tokens are not sent, [B, M] bool, by the tokens and the share of the attention
            of [CLS] that each had in the sending block, [B, M], the mean over heads; None: all are.
    """

    block: int
    snr: float | None = None
    seed: int = 0
    drop: Callable[[Kept, Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Passage:
    """What became of B images of N tokens.

    Attributes:
        embedding: [B, embedding], unit length.
        weights: before each block the weights of tokens, [B, N], 0 for those that were dropped.
        sent: [B, N] bool, the tokens that were left behind `Sending.block`; None: nobody sent.
    """

    embedding: Tensor
    weights: tuple[Tensor, ...]
    sent: Tensor | None = None


class AdaptiveEncoder(VisualTokenEncoder):
    """Token sets -> one vector an image, within a budget."""

    def __init__(self, vision: VisionConfig, encoder: EncoderSettings) -> None:
        """Create the encoder; arguments as `VisualTokenEncoder`, and `vision.gates` is set."""
        super().__init__(vision, encoder)
        assert vision.gates is not None
        self.gates = Gates(encoder.depth, encoder.width, vision.gates)

    def forward(self, batch: TokenBatch, budget: Tensor | None = None) -> Tensor:
        """Encode a batch of B images.

        Args:
            batch: the token sets.
            budget: [B], share of each image's tokens that may be kept, 0..1; all by default.

        Returns:
            [B, embedding], unit length.
        """
        return run(self, batch, budget).embedding

    def flops(self, tokens: int, intangible: int = 0, left: Sequence[int] | None = None) -> int:
        """As `VisualTokenEncoder.flops`.

        Args:
            tokens: of the image; [CLS], registers, the budget token and padding not counted.
            intangible: how many of them are intangible.
            left: how many of them each block reads, the first to the last; all by default.
        """
        width, ratio = self.settings.width, self.settings.mlp_ratio
        more = self.leading + 1
        *inner, last = [each + more for each in left or [tokens] * self.settings.depth]
        return (
            self.embedding.flops(tokens, intangible)
            + self.gates.flops([tokens + more, *inner])
            + sum(block_flops(width, ratio, queries=keys, keys=keys) for keys in inner)
            + block_flops(width, ratio, queries=1, keys=last)
            + 2 * self.projection.weight.numel()
        )


def run(
    encoder: VisualTokenEncoder,
    batch: TokenBatch,
    budget: Tensor | None = None,
    sending: Sending | None = None,
    among: Tensor | None = None,
) -> Passage:
    """Encode a batch of B images of N tokens, and tell which tokens were left.

    Args:
        encoder: with gates or without.
        batch: the token sets. Intangible tokens are never dropped by a gate.
        budget: [B], as `AdaptiveEncoder.forward`; for an encoder with gates.
        sending: in the midst of the encoder.
        among: [B, N] bool, the tokens that there are; the others are removed once all are embedded,
            as if their images had never had them. All by default.
    """
    gates = encoder.gates if isinstance(encoder, AdaptiveEncoder) else None
    tokens, spared = _begin(encoder, batch, gates, budget, among)
    of_batch = slice(encoder.leading, encoder.leading + batch.valid.shape[1])
    weights, sent = [], None
    biases = _biases(encoder, batch, gates)
    for layer, (block, bias) in enumerate(zip(encoder.blocks, biases, strict=True)):
        assert isinstance(block, Block)
        queries = 1 if layer == encoder.settings.depth - 1 else None
        if gates is not None:
            tokens = _gate(gates, layer, tokens, spared)
            tokens = tokens if encoder.training else tokens.removed()
            weights.append(tokens.spread()[:, of_batch])
        mask, before = tokens.keys(bias), tokens.x
        if gates is None:
            x = block(before, mask, queries=queries)
        else:
            x = gated(block, before, tokens.weight, mask, queries)
        tokens = replace(tokens, x=x)
        if sending is not None and layer + 1 == sending.block:
            tokens = _send(tokens, sending, block, before, mask)
            sent = tokens.spread()[:, of_batch] > 0
    embedding = F.normalize(encoder.projection(encoder.norm(tokens.x[:, 0])), dim=-1)
    return Passage(embedding, tuple(weights), sent)


def _begin(
    encoder: VisualTokenEncoder,
    batch: TokenBatch,
    gates: Gates | None,
    budget: Tensor | None,
    among: Tensor | None,
) -> tuple[Kept, Tensor]:
    """The embedded tokens, the leading ones first; and which of them no gate may drop."""
    x = encoder.embedding(batch)
    ends = (encoder.leading, 0)
    if gates is not None:
        if budget is None:
            budget = torch.ones(len(batch), device=x.device)
        x = torch.cat([x, gates.tokens(budget)], dim=1)
        ends = (encoder.leading, 1)
    spared = F.pad(batch.kind == INTANGIBLE, ends, value=True)
    keys = encoder.keys(batch)
    if among is None:
        return Kept.start(x, F.pad(keys, ends, value=True)), spared
    return Kept.start(x, F.pad(keys & among, ends, value=True)).removed(), spared


def _biases(
    encoder: VisualTokenEncoder, batch: TokenBatch, gates: Gates | None
) -> list[Tensor | None]:
    """The bias of each block, without padding: the budget token, as [CLS], is related to none."""
    found = [*encoder.bias(batch, None), None]
    end = 0 if gates is None else 1
    return [each if each is None else F.pad(each, (0, end, 0, end)) for each in found]


def _gate(gates: Gates, layer: int, tokens: Kept, spared: Tensor) -> Kept:
    """Weigh tokens before a block, and drop those without weight."""
    budgets = tokens.x[tokens.place == tokens.length - 1]
    weight = gates(layer, tokens.x, budgets)
    return tokens.weighed(weight.masked_fill(spared.gather(1, tokens.place), 1.0))


def _send(
    tokens: Kept, sending: Sending, block: Block, before: Tensor, mask: Tensor | None
) -> Kept:
    if sending.drop is not None:
        attention = block.attention.weights(block.norm_attention(before), mask)
        dropped = sending.drop(tokens, attention[:, :, 0].mean(dim=1))
        tokens = tokens.weighed(tokens.weight.masked_fill(dropped, 0.0)).removed()
    if sending.snr is None:
        return tokens
    # Drawn for whole sequences, so that a token has the same noise whichever others are left.
    random = torch.Generator().manual_seed(sending.seed)
    images, _, width = tokens.x.shape
    noise = torch.randn(images, tokens.length, width, generator=random).to(tokens.x)
    noise = noise.gather(1, tokens.place[..., None].expand(-1, -1, width))
    return replace(tokens, x=add_noise(tokens.x, noise, sending.snr))
