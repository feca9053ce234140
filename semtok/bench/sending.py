"""An encoder that sends on some of its tokens alone, from its midst, and through a channel."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.bench.contestant import Contestant
from semtok.bench.selections import Selection
from semtok.models.adaptive import Sending, run
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.geometry import centres
from semtok.models.image_text import ImageTextModel
from semtok.models.kept import Kept
from semtok.tokens.batch import INTANGIBLE, TokenBatch
from semtok.train.spending import within


def needs_all(contestant: Contestant) -> bool:
    """Whether a variant works on all of its tokens alone: none can be taken away."""
    return contestant.encoder != "tokens" or contestant.clusters


def encode(model: ImageTextModel, batch: TokenBatch, selection: Selection, number: int) -> Tensor:
    """Encode B images, of which the block in the middle (or that of the gates) sends a part.

    Args:
        model: of a variant whose tokens meet in one stack of blocks.
        batch: the token sets.
        selection: what is sent.
        number: of the batch, which decides what is drawn.

    Returns:
        [B, P], unit length.
    """
    vision, gates = model.vision, model.config.vision.gates
    assert isinstance(vision, VisualTokenEncoder), "others are not asked (budget.refusal)"
    block = gates.block if gates else vision.settings.depth // 2
    by_gates = gates is not None and selection.policy == "own"
    drop = None if by_gates else _drop(selection, batch, vision, 2 * number)
    budget = torch.full((len(batch),), selection.budget if by_gates else 1.0)
    return run(
        vision,
        batch,
        budget.to(model.log_scale.device) if gates else None,
        Sending(block, selection.snr, 2 * number + 1, drop),
    ).embedding


def _drop(
    selection: Selection, batch: TokenBatch, encoder: VisualTokenEncoder, seed: int
) -> Callable[[Kept, Tensor], Tensor]:
    free, leading = encoder.keys(batch) & (batch.kind != INTANGIBLE), encoder.leading
    kept = within(selection.budget, free.sum(dim=1))
    random = torch.rand(free.shape, generator=torch.Generator().manual_seed(seed))
    from_centre = (centres(batch.geometry) - 0.5).square().sum(dim=-1)

    def drop(tokens: Kept, attention: Tensor) -> Tensor:
        ends = (leading, tokens.length - leading - free.shape[1])
        offered = F.pad(free, ends).gather(1, tokens.place) & tokens.left
        if selection.policy != "own":
            merit = random.to(attention) if selection.policy == "random" else -from_centre
            attention = F.pad(merit, ends).gather(1, tokens.place)
        merit = attention.masked_fill(~offered, float("-inf"))
        order = merit.argsort(dim=1, descending=True, stable=True)
        rank = torch.empty_like(order)
        rank.scatter_(1, order, torch.arange(order.shape[1]).to(order).expand_as(order))
        return offered & (rank >= kept[:, None])

    return drop
