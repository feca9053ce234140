"""How much of each cell of a region's k x k grid its mask covers, straight from the run lengths."""

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.extract.rle import Runs, starts
from semtok.tokens.rows import Int


def coverage(runs: Runs, boxes: Int, height: int, width: int, size: int) -> NDArray[np.float64]:
    """Resample the masks of an image by exact area averaging, each inside its box.

    No mask is rasterised. A span of set pixels fills its column from its top on and empties it
    from its bottom on: four numbers, from which the integral over rows and columns (Crow 1984)
    makes the masks. Cells are differences of the integral, interpolated where their edges cut a
    column.

    Args:
        runs: uncompressed COCO RLE of R masks.
        boxes: [R, 4] int64 x, y, w, h in pixels that hold all of each mask, w and h at least 1.
        height, width: of the image in pixels.
        size: k, cells per side.

    Returns:
        [R, k, k] share (0..1) of each cell, rows first.
    """
    x, y, w, h = boxes.T
    first = starts(w)
    mask, column, ends = _spans(runs, height)
    ends = (ends - y[mask]) * (size / h)[mask]
    cell = ends.astype(np.int64)
    below = ends - cell
    below[1] *= -1
    above = np.array([[1.0], [-1.0]]) - below
    # Two cells more than there are take what lies behind a span that ends with the box.
    shift = first[:-1] - x - np.arange(len(boxes)) * width
    at = (column + shift[mask]) * (size + 2) + cell
    changes = np.bincount(
        np.concatenate([at, at + 1], axis=None),
        np.concatenate([above, below], axis=None),
        minlength=first[-1] * (size + 2),
    )
    integral = cv2.integral(changes.reshape(-1, size + 2))[:, 1 : size + 1]
    cut = first[:-1, None] + (w / size)[:, None] * np.arange(size + 1)
    whole = np.minimum(cut.astype(np.int64), first[-1] - 1)
    left = integral[whole]
    upto = left + (integral[whole + 1] - left) * (cut - whole)[:, :, None]
    share = (upto[:, 1:] - upto[:, :-1]) * (size / w)[:, None, None]
    return np.asarray(share.swapaxes(1, 2))


def _spans(runs: Runs, height: int) -> tuple[Int, Int, Int]:
    """Set pixels as vertical spans: masks [K], columns [K], first row and row behind [2, K].

    The masks lie side by side: columns count through them all.
    """
    lengths = np.diff(runs.offsets)
    place = np.arange(len(runs.counts)) - np.repeat(runs.offsets[:-1], lengths)
    set_runs = np.flatnonzero(place & 1)
    mask = np.repeat(np.arange(len(lengths)), lengths // 2)
    end = runs.counts.cumsum()[set_runs]
    start = end - runs.counts[set_runs]
    column, last = start // height, (end - 1) // height
    if (column != last).any():
        pieces = last - column + 1
        run = np.repeat(np.arange(len(pieces)), pieces)
        column = column[run] + np.arange(len(run)) - starts(pieces)[run]
        start = np.maximum(start[run], column * height)
        end = np.minimum(end[run], (column + 1) * height)
        mask = mask[run]
    return mask, column, np.stack([start, end]) - column * height
