"""What uncompressed COCO RLE says of a mask: measured anew, to compare with what the table says."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]


class Measured(NamedTuple):
    """Each [M] int64, pixels; x, y, w, h are 0 where a mask is empty."""

    x: Ints
    y: Ints
    w: Ints
    h: Ints
    area: Ints
    pixels: Ints  # sum of all runs, background's too


def measure(counts: pa.ListArray, heights: Ints) -> Measured:
    """Measure masks without decoding them and without a loop over them.

    Args:
        counts: [M] lists of uint32: lengths of runs down the columns, background first.
        heights: [M] of the masks' images, in pixels.

    Returns:
        The tight box (xywh), area and total length of each mask's runs.
    """
    offsets = counts.offsets.to_numpy().astype(np.int64)
    runs = counts.values.to_numpy().astype(np.int64)[offsets[0] : offsets[-1]]
    offsets -= offsets[0]
    masks = len(offsets) - 1
    owner = np.repeat(np.arange(masks), np.diff(offsets))
    before = np.concatenate([[0], np.cumsum(runs)])
    pixels = before[offsets[1:]] - before[offsets[:-1]]

    foreground = ((np.arange(len(runs)) - offsets[owner]) % 2 == 1) & (runs > 0)
    owner, runs = owner[foreground], runs[foreground]
    # Positions within a mask fit into 32 bits, which are divided in a fraction of the time.
    first = (before[:-1][foreground] - before[offsets[owner]]).astype(np.uint32)
    last = first + (runs - 1).astype(np.uint32)
    height = np.maximum(heights, 1).astype(np.uint32)[owner]
    left, right = first // height, last // height
    # A run that goes on in the next column touches the bottom of one and the top of the other.
    top = np.where(left == right, first - left * height, 0)
    bottom = np.where(left == right, last - right * height, height - 1)

    # Runs are in the order of their masks, so each mask's are one slice.
    found, start = np.unique(owner, return_index=True)
    x, y, w, h, area = np.zeros((5, masks), np.int64)
    if len(found):
        x[found] = np.minimum.reduceat(left, start)
        y[found] = np.minimum.reduceat(top, start)
        w[found] = np.maximum.reduceat(right, start) - x[found] + 1
        h[found] = np.maximum.reduceat(bottom, start) - y[found] + 1
        area[found] = np.add.reduceat(runs, start)
    return Measured(x, y, w, h, area, pixels)
