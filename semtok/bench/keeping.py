"""What gates keep of some images within each budget, and how long these then take."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from semtok.bench.device import device
from semtok.models.adaptive import AdaptiveEncoder, run
from semtok.tokens.batch import TokenBatch
from semtok.tokens.loader import in_order
from semtok.tokens.rows import Rows
from semtok.train import checkpoint
from semtok.train.spending import BUDGETS, spending

#: Budgets whose tokens are shown.
SHOWN = (0.1, 0.3, 0.5, 1.0)

#: Images encoded at once: removed tokens are those that no image of these has left.
_BATCH = 16

#: Rounds over all budgets, of which the median counts, behind one that does not.
_ROUNDS = 7


@dataclass(frozen=True)
class Keeping:
    """What one training keeps of B images of N tokens.

    Attributes:
        rows: the images.
        kept: [len(SHOWN), B, N] bool, the tokens that are left behind the block that sends them.
    """

    rows: Rows
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class Taken:
    """What an image takes within a budget, means over images.

    Attributes:
        budget: 0..1.
        share: of its tokens that are left behind the block that sends them.
        flops: of encoding it.
        milliseconds: likewise, in batches of 16: processor time, or on a GPU the clock's.
    """

    budget: float
    share: float
    flops: float
    milliseconds: float


@torch.inference_mode()
def keep(folder: Path, shards: Path, images: int) -> Keeping | None:
    """Look at the first images of some token shards.

    Args:
        folder: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        images: B.

    Returns:
        None of a variant without gates.
    """
    trained = checkpoint.load(folder, device())
    encoder, gates = trained.model.vision, trained.model.config.vision.gates
    if not isinstance(encoder, AdaptiveEncoder) or gates is None:
        return None
    opened = trained.open_shards(shards)
    rows = opened.rows(np.arange(min(images, len(opened))))
    batch = trained.collate(rows).to(device())
    kept = [run(encoder, batch, _of(batch, each)).weights[gates.block - 1] > 0 for each in SHOWN]
    return Keeping(rows, torch.stack(kept).cpu().numpy())


@torch.inference_mode()
def measure(folder: Path, shards: Path, images: int) -> list[Taken] | None:
    """Encode the first images of some token shards within each of `BUDGETS`, in turns.

    Args:
        folder, shards: as of `keep`.
        images: how many, at most.

    Returns:
        One a budget; None of a variant without gates.
    """
    trained = checkpoint.load(folder, device())
    encoder = trained.model.vision
    if not isinstance(encoder, AdaptiveEncoder):
        return None
    opened = in_order(trained.open_shards(shards), _BATCH, images)
    batches = [trained.collate(rows).to(device()) for rows in opened]
    count = sum(len(batch) for batch in batches)
    clock = _clock()
    seconds: dict[float, list[float]] = {budget: [] for budget in BUDGETS}
    for _ in range(1 + _ROUNDS):
        for budget, taken in seconds.items():
            start = clock()
            for batch in batches:
                run(encoder, batch, _of(batch, budget))
            taken.append(clock() - start)
    return [
        Taken(
            each["budget"],
            each["share"],
            each["flops"],
            1000 * statistics.median(seconds[each["budget"]][1:]) / count,
        )
        for each in spending(trained.model, batches)
    ]


def _of(batch: TokenBatch, budget: float) -> torch.Tensor:
    """The same budget for each image, [B]."""
    return torch.full((len(batch),), budget, device=batch.valid.device)


def _clock() -> Callable[[], float]:
    if not torch.cuda.is_available():
        return time.process_time

    def now() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return now
