"""Polygons -> run lengths by numpy alone, many masks at once, pixel by pixel as pycocotools fills.

Its rule (`rleFrPoly` of `maskApi.c`): vertices are rounded to a grid of fifths of a pixel, and
edges are drawn on that grid, one point for each step along the longer side. Where an outline steps
over the middle of a column of pixels (from fine column 5n + 2 to 5n + 3, either way), it toggles
the column from the upper end of that step on down; what is toggled an odd number of times is in.

pycocotools makes every point of every edge, one polygon at a time. Here are the points that toggle,
and no others. What it rounds is computed by the same steps, so that ties fall the same way; whole
numbers are exact in float64, which divides faster than int64.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semtok.extract import rle
from semtok.extract.rle import Int, Intervals, Runs

Float = NDArray[np.float64]

#: Fine columns and rows of a pixel, and the fine column on the left of its middle.
_FINE = 5
_MIDDLE = 2


class Polygons(NamedTuple):
    """The polygons of N masks, one behind the other.

    Attributes:
        points: [P, 2] float64, x and y of the vertices in pixels.
        lengths: [Q] int64, vertices of each polygon, one or more.
        owner: [Q] int64, the mask of each, ascending.
    """

    points: Float
    lengths: Int
    owner: Int

    def take(self, some: NDArray[np.bool_]) -> "Polygons":
        """The marked polygons."""
        return Polygons(
            self.points[np.repeat(some, self.lengths)], self.lengths[some], self.owner[some]
        )


def fill(polygons: Polygons, heights: Int, widths: Int) -> Runs:
    """The masks that polygons enclose, each the union of its own.

    Args:
        heights, widths: [N] of each mask's image in pixels.

    Returns:
        Canonical runs of N masks; one without polygons is empty.
    """
    sizes, owner = heights * widths, polygons.owner
    if not len(sizes):
        return Runs.of([])
    # One mask behind the other, all are one row of places: of each its pixels, a place behind
    # them, where its last column may be toggled, and one that closes it. Polygons that share a mask
    # lie behind all masks at first, as they may overlap.
    offsets = rle.starts(sizes + 2)
    shared = np.bincount(owner, minlength=len(sizes))[owner] > 1
    begins = rle.starts(np.append(offsets[-1], sizes[owner[shared]] + 1))[1:]
    base = offsets[owner]
    base[shared] = begins[:-1]
    kind = np.int32 if begins[-1] < 2**31 else np.int64  # which sorts in half the time
    closes = (offsets[1:] - 1).astype(kind)
    toggles = _toggles(polygons, heights[owner], widths[owner], base).astype(kind)
    row = np.sort(np.concatenate([closes, toggles]))
    if shared.any():
        row, behind = np.split(row, [np.searchsorted(row, closes[-1]) + 1])
        joined = _joined(behind, base[shared], owner[shared], sizes)
        places = (each + offsets[joined.owner] for each in (joined.start, joined.end))
        # A stable sort is a quick one of a few ascending pieces.
        pieces = [row, *(each.astype(kind) for each in places)]
        row = np.sort(np.concatenate(pieces), kind="stable")
    row = _odd(row)

    last = np.searchsorted(row, closes)
    first = np.append(0, last[:-1] + 1)
    counts = np.diff(row, prepend=-1)
    counts[first] -= 1
    counts[last] -= 1
    full = counts[last] == 0  # its last pixel is inside, which closes it already
    lengths = last + 1 - first - full
    return Runs(np.delete(counts, last[full]), rle.starts(lengths))


def _joined(row: NDArray[np.integer], base: Int, owner: Int, sizes: Int) -> Intervals:
    """The foreground of masks that have several polygons.

    Args:
        row: ascending places at which these are toggled. An outline is closed and steps over a
            middle as often to the right as to the left, so that both of a pair are of one polygon.
        base: where each polygon begins in the row.
        owner: the mask of each.
    """
    pairs = row.reshape(-1, 2)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    part = np.searchsorted(base, pairs[:, 0], side="right") - 1
    found = Intervals(owner[part], *(pairs.T - base[part]))
    return rle.intervals(rle.from_intervals(found, sizes))


def _odd(row: NDArray[np.integer]) -> NDArray[np.integer]:
    """Of ascending places those there an odd number of times: what is toggled twice stays so."""
    first = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    times = np.diff(first, append=len(row))
    odd: NDArray[np.integer] = row[first[times % 2 == 1]]
    return odd


def _toggles(polygons: Polygons, heights: Int, widths: Int, base: Int) -> Float:
    """The column-major places at which columns are toggled, in any order.

    Args:
        heights, widths: [Q] of each polygon's image.
        base: [Q] that is added to its places.
    """
    behind = np.cumsum(polygons.lengths)
    following = np.arange(1, len(polygons.points) + 1)
    following[behind - 1] = behind - polygons.lengths  # the last edge leads back to the first
    begin = np.trunc(_FINE * polygons.points.T + 0.5)
    end = begin[:, following]
    wide, high = np.abs(end - begin)
    flat = wide >= high
    # Flat edges are drawn from the left, steep ones from the top.
    back = np.where(flat, begin[0] > end[0], begin[1] > end[1])
    begin, end = np.where(back, end, begin), np.where(back, begin, end)

    # Of the columns whose middle an edge steps over: the first, and the one behind the last.
    part = np.repeat(np.arange(len(base)), polygons.lengths)
    width = widths.astype(np.float64)[part]
    left, right = np.minimum(begin[0], end[0]), np.maximum(begin[0], end[0])
    first = np.clip(np.floor((left + _MIDDLE) / _FINE), 0, width)
    last = np.clip(np.floor((right + _MIDDLE) / _FINE), 0, width)
    flat, steep = (np.flatnonzero(each & (first < last)) for each in (flat, ~flat))
    edges = np.concatenate([flat, steep])
    part, first = part[edges], first[edges]
    steps = (last[edges] - first).astype(np.int64)
    offsets = rle.starts(steps)
    edge = np.repeat(np.arange(len(edges)), steps)
    # A step over column c is the one numbered c - shift[edge] of all steps.
    number, shift = np.arange(offsets[-1], dtype=np.float64), first - offsets[:-1]

    fine, middle = _FINE * number, _FINE * shift + _MIDDLE
    split, some = offsets[len(flat)], len(flat)
    upper = np.concatenate(
        [
            _upper_of_flat(begin[:, flat], end[:, flat], edge[:split], fine[:split], middle[:some]),
            _upper_of_steep(
                begin[:, steep], end[:, steep], edge[split:] - some, fine[split:], middle[some:]
            ),
        ]
    )
    upper += _MIDDLE
    upper /= _FINE  # and rounded down it is the row of pixels from which on the column is toggled
    height = heights.astype(np.float64)[part]
    high = height[edge]
    np.clip(np.floor(upper, out=upper), 0, high, out=upper)
    number *= high
    number += (base[part] + height * shift)[edge]
    number += upper
    return number


def _upper_of_flat(begin: Float, end: Float, edge: Int, fine: Float, middle: Float) -> Float:
    """The fine row of the upper end of steps, on edges as wide as high or wider.

    Args:
        begin, end: [2, E] x and y of the edges' ends, the left one first.
        edge: [T] the edge of each step.
        fine: [T] the fine column on its left, less the edge's `middle`.
        middle: [E] of each edge.
    """
    (x, y), (wide, high) = begin, end - begin
    slope = high / wide
    upper: Float = fine + (middle - x + (slope < 0))[edge]  # steps from the left end on
    upper *= slope[edge]
    upper += y[edge]
    upper += 0.5
    return np.trunc(upper, out=upper)


def _upper_of_steep(begin: Float, end: Float, edge: Int, fine: Float, middle: Float) -> Float:
    """As `_upper_of_flat`, on edges higher than wide, the upper end first."""
    (x, y), (wide, high) = begin, end - begin
    exact = (fine + (middle + 0.5 - x)[edge]) * high[edge] / wide[edge]
    along = np.ceil(exact)  # the first point behind the step
    # Where a point lies right between two fine columns, pycocotools's rounding decides.
    ties = np.flatnonzero(along == exact)
    of = edge[ties]
    right = np.trunc(x[of] + (wide / high)[of] * along[ties] + 0.5) > fine[ties] + middle[of]
    along[ties] += right != (wide[of] > 0)
    upper: Float = y[edge] + along - 1
    return upper
