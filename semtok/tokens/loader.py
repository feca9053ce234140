"""Which images a step sees: a pure function of (seed, step), so that resuming is exact."""

from collections.abc import Iterator

import numpy as np

from semtok.errors import SemtokError
from semtok.tokens.rows import Int, Rows
from semtok.tokens.shards import TokenShards


def batches(
    shards: TokenShards,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    part: int = 0,
    parts: int = 1,
) -> Iterator[tuple[int, Rows]]:
    """Shuffled batches without end, for training.

    Every epoch is a new order of all images; what does not fill a batch is dropped.

    Args:
        shards: where the rows come from.
        batch_size: images per step.
        seed: of the order.
        first_step: the step to begin with, counted from 0 through all epochs.
        part: which of the equal parts of each batch, 0..parts-1.
        parts: how many; divides the batch.

    Yields:
        The step and its rows, images sorted by their index within the batch.

    Raises:
        SemtokError: there are fewer images than one batch needs.
    """
    per_epoch = len(shards) // batch_size
    if not per_epoch:
        raise SemtokError(
            f"{shards.folder}: {len(shards)} images cannot fill a batch of {batch_size}; "
            "lower train.batch_size or add images"
        )
    step = first_step
    while True:
        epoch, within = divmod(step, per_epoch)
        order = epoch_order(len(shards), seed, epoch)
        for number in range(within, per_epoch):
            chosen = np.sort(order[number * batch_size : (number + 1) * batch_size])
            yield step, shards.rows(np.split(chosen, parts)[part])
            step += 1


def in_order(shards: TokenShards, batch_size: int, images: int | None = None) -> Iterator[Rows]:
    """Every image once, in the shards' order, for evaluation; the last batch may be smaller.

    Args:
        shards: where the rows come from.
        batch_size: images at a time.
        images: the first so many alone; all by default.
    """
    count = len(shards) if images is None else min(images, len(shards))
    for start in range(0, count, batch_size):
        yield shards.rows(np.arange(start, min(start + batch_size, count)))


def epoch_order(images: int, seed: int, epoch: int) -> Int:
    """The order [images] int64 in which an epoch (counted from 0) sees the images."""
    return np.random.default_rng([seed, epoch]).permutation(images)
