"""What a model with gates keeps of its tokens within a budget, and what that costs."""

from collections.abc import Iterable

import torch
from torch import Tensor

from semtok.models.adaptive import AdaptiveEncoder, run
from semtok.models.image_text import ImageTextModel
from semtok.tokens.batch import INTANGIBLE, TokenBatch

#: At which a trained model is measured.
BUDGETS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 11))


@torch.inference_mode()
def spending(model: ImageTextModel, batches: Iterable[TokenBatch]) -> list[dict[str, float]]:
    """What a trained model keeps, and what that costs, at each of `BUDGETS`.

    Args:
        model: with gates, in evaluation mode.
        batches: images to measure it on.

    Returns:
        One a budget B, means over images: `budget`; of the tokens that gates may drop, at the block
        that sends, the `weight` (0 where dropped), the `share` that is left, and the share
        `others`, which is sent where somebody else chooses ceil(B N) of N (`semtok.bench.sending`),
        of those at most that gates leave at a budget of 1; `flops` of what gates leave.
    """
    vision, gates = model.vision, model.config.vision.gates
    assert isinstance(vision, AdaptiveEncoder) and gates is not None
    sums = {budget: torch.zeros(5, dtype=torch.float64) for budget in BUDGETS}
    for batch in batches:
        tokens = batch.to(model.log_scale.device)
        intangible = tokens.valid & (tokens.kind == INTANGIBLE)
        free = (vision.keys(tokens) & ~intangible).sum(dim=1).clamp(min=1)
        most = free
        for budget, total in reversed(sums.items()):
            weights = run(vision, tokens, free.new_full(free.shape, budget, dtype=torch.float32))
            sent = weights.weights[gates.block - 1].masked_fill(intangible, 0.0)
            if budget == BUDGETS[-1]:
                most = (sent > 0).sum(dim=1)
            left = torch.stack([(each > 0).sum(dim=1) for each in weights.weights], dim=1)
            counts = zip(tokens.valid.sum(1).tolist(), intangible.sum(1).tolist(), strict=True)
            blocks = left.tolist()
            flops = [vision.flops(*each, of) for each, of in zip(counts, blocks, strict=True)]
            numbers = (sent.sum(dim=1), (sent > 0).sum(dim=1), within(budget, free).minimum(most))
            shares = [(each / free).sum().item() for each in numbers]
            total += torch.tensor([*shares, sum(flops), len(tokens)], dtype=torch.float64)
    names = ("weight", "share", "others", "flops")
    return [
        {"budget": budget, **dict(zip(names, (total[:-1] / total[-1]).tolist(), strict=True))}
        for budget, total in sums.items()
    ]


def within(budget: float, tokens: Tensor) -> Tensor:
    """How many of so many tokens, [B], a budget lets through: ceil(budget N), as float64."""
    # A product such as 0.7 x 10 may lie a little above the whole number that it is.
    return (budget * tokens.double() - 1e-9).ceil()
