"""How much of each cell of a region's k x k grid its mask covers, straight from the run lengths."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.extract.rle import Runs, intervals, starts
from semtok.tokens.rows import Int


@dataclass(frozen=True)
class Spans:
    """The foreground of M masks as vertical stretches of pixels, ordered by mask.

    Attributes:
        first: [M + 1] int64, number of each mask's first span, and that behind the last.
        column: [K] int64, x in pixels.
        top: [K] int64, y of the first pixel.
        bottom: [K] int64, y behind the last pixel, above `top`.
    """

    first: Int
    column: Int
    top: Int
    bottom: Int

    @classmethod
    def of(cls, runs: Runs, heights: Int) -> "Spans":
        """Cut the runs of M masks, in images of [M] `heights` pixels, at the ends of columns."""
        found = intervals(runs)
        height = heights[found.owner]
        column = found.start // height
        pieces = (found.end - 1) // height - column + 1
        run = np.repeat(np.arange(len(column)), pieces)
        column = column[run] + np.arange(len(run)) - starts(pieces)[run]
        edge = column * height[run]
        return cls(
            first=np.searchsorted(found.owner[run], np.arange(len(runs) + 1)),
            column=column,
            top=np.maximum(found.start[run] - edge, 0),
            bottom=np.minimum(found.end[run] - edge, height[run]),
        )

    def __getitem__(self, masks: slice) -> "Spans":
        """Some masks in a row."""
        first = self.first[masks.start : masks.stop + 1]
        spans = slice(first[0], first[-1])
        return Spans(first - first[0], self.column[spans], self.top[spans], self.bottom[spans])


def coverage(spans: Spans, boxes: Int, size: int) -> NDArray[np.float64]:
    """Resample masks by exact area averaging, each inside its box.

    No mask is rasterised. A span fills its column from its top on and empties it from its bottom
    on: four numbers, from which the integral over rows and columns (Crow 1984) makes the masks.
    Cells are differences of the integral, interpolated where a cell's edge cuts a column.

    Args:
        spans: of R masks.
        boxes: [R, 4] int64 x, y, w, h in pixels that hold all spans, w and h at least 1.
        size: k, cells per side.

    Returns:
        [R, k, k] share (0..1) of each cell, rows first.
    """
    x, y, w, h = boxes.T
    first = starts(w)
    mask = np.repeat(np.arange(len(boxes)), np.diff(spans.first))
    ends = np.stack([spans.top, spans.bottom])
    ends = (ends - y[mask]) * (size / h)[mask]
    cell = ends.astype(np.int64)
    below = ends - cell
    below[1] *= -1
    above = np.array([[1.0], [-1.0]]) - below
    # Two cells more than there are take what lies behind a span that ends with the box.
    at = (spans.column + (first[:-1] - x)[mask]) * (size + 2) + cell
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
