"""What a model with gates keeps of its tokens within a budget, and what that costs."""

from collections.abc import Iterable

import torch

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
        One a budget, means over images: `budget`; `weight` of the tokens that gates may drop (0
        where dropped) and `share` of them that is left, both at the block that sends; `flops`.
    """
    vision, gates = model.vision, model.config.vision.gates
    assert isinstance(vision, AdaptiveEncoder) and gates is not None
    sums = {budget: torch.zeros(4, dtype=torch.float64) for budget in BUDGETS}
    for batch in batches:
        tokens = batch.to(model.log_scale.device)
        intangible = tokens.valid & (tokens.kind == INTANGIBLE)
        free = (vision.keys(tokens) & ~intangible).sum(dim=1).clamp(min=1)
        for budget, total in sums.items():
            weights = run(vision, tokens, free.new_full(free.shape, budget, dtype=torch.float32))
            sent = weights.weights[gates.block - 1].masked_fill(intangible, 0.0)
            left = torch.stack([(each > 0).sum(dim=1) for each in weights.weights], dim=1)
            counts = zip(tokens.valid.sum(1).tolist(), intangible.sum(1).tolist(), strict=True)
            blocks = left.tolist()
            flops = [vision.flops(*each, of) for each, of in zip(counts, blocks, strict=True)]
            shares = [(each.sum(dim=1) / free).sum().item() for each in (sent, sent > 0)]
            total += torch.tensor([*shares, sum(flops), len(tokens)], dtype=torch.float64)
    found = []
    for budget, total in sums.items():
        weight, share, of_all, images = total.tolist()
        means = {"weight": weight / images, "share": share / images, "flops": of_all / images}
        found.append({"budget": budget, **means})
    return found
