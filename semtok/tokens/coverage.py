"""How much of each cell of a region's k x k grid its mask covers, straight from the run lengths."""

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.extract.rle import Runs, starts
from semtok.tokens.rows import Int


def coverage(runs: Runs, boxes: Int, heights: Int, size: int) -> NDArray[np.float64]:
    """Resample masks by exact area averaging, each inside its box.

    No mask is rasterised. A span of set pixels fills its column from its top on and empties it
    from its bottom on: four numbers, from which the integral over rows and columns (Crow 1984)
    makes the masks. Cells are differences of the integral, interpolated where their edges cut a
    column.

    Args:
        runs: uncompressed COCO RLE of R masks.
        boxes: [R, 4] int64 x, y, w, h in pixels that hold all of each mask, w and h at least 1.
        heights: [R] int64, of each mask's image in pixels.
        size: k, cells per side.

    Returns:
        [R, k, k] share (0..1) of each cell, rows first.
    """
    x, y, w, h = boxes.T
    first = starts(w)
    mask, column, rows = _spans(runs, heights)
    # In whole numbers (a row is k units high, a cell h) up to the last line: no sum is rounded,
    # so that a mask's result does not depend on which masks are measured with it.
    ends, high = (rows - y[mask]) * size, h[mask]
    cell = (ends / high).astype(np.int64)
    below = ends - cell * high
    above = high - below
    # The boxes lie side by side. Two cells more than they have take what lies behind a span that
    # ends with its box.
    at = (column + (first[:-1] - x)[mask]) * (size + 2) + cell
    changes = np.bincount(
        np.concatenate([at, at + 1], axis=None),
        np.concatenate([above[0], -above[1], below[0], -below[1]]),
        minlength=first[-1] * (size + 2),
    )
    integral = cv2.integral(changes.reshape(-1, size + 2))[:, 1 : size + 1]
    cut = w[:, None] * np.arange(size + 1)
    whole = cut // size
    part = (cut - whole * size)[:, :, None]
    whole += first[:-1, None]
    left = integral[whole]
    upto = left * size + (integral[np.minimum(whole + 1, first[-1])] - left) * part
    share = (upto[:, 1:] - upto[:, :-1]) / (w * h)[:, None, None]
    return np.asarray(share.swapaxes(1, 2))


def _spans(runs: Runs, heights: Int) -> tuple[Int, Int, Int]:
    """Set pixels as vertical spans: mask [K], column [K], first row and the row behind [2, K]."""
    lengths = np.diff(runs.offsets)
    place = np.arange(len(runs.counts)) - np.repeat(runs.offsets[:-1], lengths)
    set_runs = np.flatnonzero(place & 1)
    mask = np.repeat(np.arange(len(lengths)), lengths // 2)
    before = starts(runs.counts)
    start = before[set_runs] - before[runs.offsets[:-1]][mask]
    end = start + runs.counts[set_runs]
    height = heights[mask]
    # Exact as long as a mask has less than 2^52 pixels, and faster than whole-number division.
    column, last = (start / height).astype(np.int64), ((end - 1) / height).astype(np.int64)
    if (column != last).any():
        pieces = last - column + 1
        run = np.repeat(np.arange(len(pieces)), pieces)
        mask, height = mask[run], height[run]
        column = column[run] + np.arange(len(run)) - starts(pieces)[run]
        start = np.maximum(start[run], column * height)
        end = np.minimum(end[run], (column + 1) * height)
    return mask, column, np.stack([start, end]) - column * height
