"""Polygons -> run lengths by numpy alone, many masks at once, pixel by pixel as pycocotools fills.

Its rule (`rleFrPoly` of `maskApi.c`): vertices are rounded to a grid of fifths of a pixel, and
edges are drawn on that grid, one point for each step along the longer side. Where an outline steps
over the middle of a column of pixels (from fine column 5n + 2 to 5n + 3, either way), it toggles
the column from the upper end of that step on down; what is toggled an odd number of times is in.

pycocotools makes every point of every edge, one polygon at a time. Here are the points that toggle,
and no others. What it rounds is computed by the same steps, so that ties fall the same way; whole
numbers are exact in float64, which divides faster than int64.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from semtok.extract import rle
from semtok.extract.rle import Int, Runs

Float = NDArray[np.float64]
Places = NDArray[Any]  # int32 where they fit

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
    kind = np.int32 if begins[-1] < 2**31 else np.int64  # which sorts in half the time
    begins, offsets = begins.astype(kind), offsets.astype(kind)
    base = offsets[owner]
    base[shared] = begins[:-1]
    closes = offsets[1:] - 1
    toggles = _toggles(polygons, heights[owner].astype(kind), widths[owner], base)
    row = np.sort(np.concatenate([closes, toggles]))
    if shared.any():
        row, behind = np.split(row, [np.searchsorted(row, closes[-1]) + 1])
        # A stable sort is a quick one of a few ascending pieces.
        pieces = [row, *_joined(behind, base[shared], offsets[owner[shared]])]
        row = np.sort(np.concatenate(pieces), kind="stable")
    row = _odd(row)

    last = np.searchsorted(row, closes)
    first = np.append(0, last[:-1] + 1)
    counts = np.diff(row, prepend=kind(-1))
    counts[first] -= 1
    counts[last] -= 1
    full = counts[last] == 0  # its last pixel is inside, which closes it already
    lengths = last + 1 - first - full
    return Runs(np.delete(counts, last[full]), rle.starts(lengths))


def _joined(row: Places, begins: Places, masks: Places) -> tuple[Places, Places]:
    """Where the foreground of masks that have several polygons begins, and where it ends.

    Args:
        row: ascending places at which these are toggled. An outline is closed and steps over a
            middle as often to the right as to the left, so that both of a pair are of one polygon.
        begins: where each polygon begins in the row.
        masks: where the mask of each does, and the places that are returned.
    """
    pairs = row.reshape(-1, 2)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    part = np.searchsorted(begins, pairs[:, 0], side="right") - 1
    start, end = np.sort(pairs.T + (masks - begins)[part])
    opens = np.ones(len(start), bool)
    opens[1:] = start[1:] > end[:-1]  # as many have ended as have begun before
    return start[opens], end[np.roll(opens, -1)]


def _odd(row: Places) -> Places:
    """Of ascending places those there an odd number of times: what is toggled twice stays so."""
    again = np.flatnonzero(row[1:] == row[:-1])
    chains = np.flatnonzero(np.diff(again, prepend=-2) > 1)
    pairs = again[rle.positions(np.append(chains, len(again))) % 2 == 0]
    return np.delete(row, np.concatenate([pairs, pairs + 1]))


def _toggles(polygons: Polygons, heights: Places, widths: Int, base: Places) -> Places:
    """The column-major places at which columns are toggled, in any order.

    Args:
        heights, widths: [Q] of each polygon's image.
        base: [Q] that is added to its places.

    Returns:
        Of the type of `base`.
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
    stepped = first < last
    found = []
    for some, upper_ends in ((flat & stepped, _upper_of_flat), (~flat & stepped, _upper_of_steep)):
        edges = np.flatnonzero(some)
        steps = (last[edges] - first[edges]).astype(np.int64)
        edge = np.repeat(np.arange(len(edges)), steps)
        place = rle.positions(rle.starts(steps)).astype(base.dtype)  # columns from the first on
        fine = _FINE * first[edges] + _MIDDLE
        upper = upper_ends(begin[:, edges], end[:, edges], edge, _FINE * place, fine)
        row = upper.astype(base.dtype)
        row += _MIDDLE
        row //= _FINE  # of pixels, from which on the column is toggled
        of = part[edges]
        height = heights[of][edge]
        np.clip(row, 0, height, out=row)
        place *= height
        place += (base[of] + heights[of] * first[edges].astype(base.dtype))[edge]
        place += row
        found.append(place)
    return np.concatenate(found)


def _upper_of_flat(begin: Float, end: Float, edge: Int, fine: Places, first: Float) -> Float:
    """The fine row of the upper end of steps, on edges as wide as high or wider, yet to be cut off.

    Args:
        begin, end: [2, E] x and y of the edges' ends, the left one first.
        edge: [T] the edge of each step.
        fine: [T] the fine column on its left, less the edge's first one.
        first: [E] this.
    """
    (x, y), (wide, high) = begin, end - begin
    slope = high / wide
    upper: Float = fine + (first - x + (slope < 0))[edge]  # steps from the left end on
    upper *= slope[edge]
    upper += y[edge]
    upper += 0.5
    return upper


def _upper_of_steep(begin: Float, end: Float, edge: Int, fine: Places, first: Float) -> Float:
    """As `_upper_of_flat`, on edges higher than wide, the upper end first."""
    (x, y), (wide, high) = begin, end - begin
    exact = (fine + (first + 0.5 - x)[edge]) * high[edge] / wide[edge]
    along: Float = np.ceil(exact)  # the first point behind the step
    # Where a point lies right between two fine columns, pycocotools's rounding decides.
    ties = np.flatnonzero(along == exact)
    of = edge[ties]
    right = np.trunc(x[of] + (wide / high)[of] * along[ties] + 0.5) > fine[ties] + first[of]
    along[ties] += right != (wide[of] > 0)
    along += y[edge]
    along -= 1
    return along
