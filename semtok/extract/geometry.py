"""Spatial relations computed from masks alone: no annotation, no model, no category.

For each of an image's nearest pairs of masks (by the gap between their boxes, then by the distance
of their centroids) the smaller one is the subject, and at most two relations are stated:

- `inside` or `around`, where one encloses the other: 90 % of its pixels lie in column runs that
  the other covers or has pixels above and below of, and within the other's box;
- else `overlapping`, where 10 % of the smaller one's pixels are shared, or `touching`, where pixels
  are shared or neighbours (of 4); and the direction between the centroids: `left of`, `right of`,
  `above` or `below`, whichever axis they differ more along.

Everything is computed on run lengths, for many images at once: no mask is ever drawn.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.extract import rle
from semtok.extract.backends import RELATIONS, FoundRelations, Job
from semtok.extract.rle import Int

#: Masks alone.
READS_PIXELS = False

INSIDE = 0.9
OVERLAPPING = 0.1

#: Pairs of masks that are looked at together: enough for long arrays, few enough for memory.
_PAIRS_AT_ONCE = 500_000


@dataclass(frozen=True)
class Settings:
    """How much to state."""

    pairs: int = 16  # nearest pairs of masks per image


def open_scene_graphs(job: Job) -> "Geometry":
    """Nothing to read: the masks say it all."""
    return Geometry(job.settings)


class Geometry:
    """Spatial relations."""

    def __init__(self, settings: Settings) -> None:
        """See `Settings`."""
        self._settings = settings

    def inputs(self, images: pa.Table) -> bytes:
        """The masks alone, which every scene graph depends on."""
        return b""

    def find(self, images: pa.Table, masks: pa.Table) -> FoundRelations:
        """State the relations of these images' masks."""
        found = [RELATIONS.empty_table()]
        for start, stop in _parts(masks["image_id"].to_numpy()):
            found.append(relations(masks.slice(start, stop - start), self._settings))
        return FoundRelations(pa.concat_tables(found), "", [])


def relations(masks: pa.Table, settings: Settings) -> pa.Table:
    """The relations among masks.

    Args:
        masks: schema `MASKS`, whole images, ordered by image_id, mask_id.

    Returns:
        Schema `RELATIONS`.
    """
    if not masks.num_rows:
        return RELATIONS.empty_table()
    shapes = _Shapes(masks)
    first, second = _nearest(shapes, settings.pairs)
    swap = shapes.area[second] < shapes.area[first]
    subject, object_ = np.where(swap, second, first), np.where(swap, first, second)

    shared, near = shapes.contact(subject, object_)
    inside = shapes.encloses(object_, subject)
    around = shapes.encloses(subject, object_) & ~inside
    apart = ~inside & ~around
    overlapping = apart & (shared >= OVERLAPPING * shapes.area[subject])
    touching = apart & ~overlapping & near

    dx, dy = (shapes.centroid[subject] - shapes.centroid[object_]).T
    across = np.abs(dx) >= np.abs(dy)
    stated = {
        "inside": inside,
        "around": around,
        "overlapping": overlapping,
        "touching": touching,
        "left of": apart & across & (dx < 0),
        "right of": apart & across & (dx > 0),
        "above": apart & ~across & (dy < 0),
        "below": apart & ~across & (dy > 0),
    }
    at = np.concatenate([np.flatnonzero(each) for each in stated.values()])
    names = np.repeat(list(stated), [np.count_nonzero(each) for each in stated.values()])
    return pa.table(
        [
            shapes.image_id[subject[at]],
            shapes.mask_id[subject[at]],
            shapes.mask_id[object_[at]],
            pa.array(names, pa.string()),
            np.ones(len(at), np.float32),
        ],
        schema=RELATIONS,
    )


class _Shapes:
    """What the masks of some images measure, one entry a mask.

    Attributes:
        image_id, mask_id, area: as in schema `MASKS`.
        low, high: [N, 2] corners of the box, x and y, the second one exclusive.
        centroid: [N, 2] mean x and y of the pixels.
    """

    def __init__(self, masks: pa.Table) -> None:
        columns = ("image_id", "mask_id", "area", "height", "width", "x", "y", "w", "h")
        table = {name: masks[name].to_numpy().astype(np.int64) for name in columns}
        self.image_id, self.mask_id, self.area = (table[name] for name in columns[:3])
        self._height, self._size = table["height"], table["height"] * table["width"]
        self.low = np.stack([table["x"], table["y"]], axis=1)
        self.high = self.low + np.stack([table["w"], table["h"]], axis=1)

        counts = masks["counts"].combine_chunks()
        lengths = counts.value_lengths().to_numpy().astype(np.int64)
        runs = rle.Runs(counts.flatten().to_numpy().astype(np.int64), rle.starts(lengths))
        self._parts = rle.intervals(runs)
        owner = self._parts.owner
        self._first = rle.starts(np.bincount(owner, minlength=len(self.area)))
        # One axis for all masks, on which none reaches into the next one's stretch.
        self._shift = np.arange(len(self.area)) * (self._size.max() + 1)
        borders = np.stack([self._parts.start, self._parts.end], axis=1) + self._shift[owner, None]
        self._borders = borders.ravel()
        length = self._parts.end - self._parts.start
        until = np.cumsum(length)
        self._until = np.stack([until - length, until], axis=1).ravel().astype(np.float64)

        height = self._height[owner]
        x = _columns_before(self._parts.end, height) - _columns_before(self._parts.start, height)
        position = (self._parts.end * (self._parts.end - 1)) // 2
        position -= (self._parts.start * (self._parts.start - 1)) // 2
        sums = [np.bincount(owner, each, len(self.area)) for each in (x, position - height * x)]
        self.centroid = np.stack(sums, axis=1) / self.area[:, None]

    def contact(self, a: Int, b: Int) -> tuple[Int, NDArray[np.bool_]]:
        """Of P pairs of masks: [P] pixels shared, and whether any are shared or neighbours."""
        gap = np.maximum(self.low[b] - self.high[a], self.low[a] - self.high[b])
        (maybe,) = np.nonzero((gap <= 0).all(axis=1))
        pair, start, end = self._intervals(a[maybe])
        b = b[maybe][pair]
        height, size = self._height[b], self._size[b]
        above = np.where(start % height > 0, start - 1, start)
        below = np.where(end % height > 0, end + 1, end)
        shared = self._covered(b, start, end)
        beside = [
            self._covered(b, np.maximum(start - height, 0), np.maximum(end - height, 0)),
            self._covered(b, np.minimum(start + height, size), np.minimum(end + height, size)),
            self._covered(b, above, start),
            self._covered(b, end, below),
        ]
        pixels, near = np.zeros(len(a), np.int64), np.zeros(len(a), bool)
        pixels[maybe] = np.bincount(pair, shared, len(maybe))
        near[maybe] = np.bincount(pair, shared + sum(beside), len(maybe)) > 0
        return pixels, near

    def encloses(self, outer: Int, inner: Int) -> NDArray[np.bool_]:
        """Of P pairs of masks: whether the first one encloses the second one."""
        boxed = (self.low[outer] <= self.low[inner]) & (self.high[inner] <= self.high[outer])
        (maybe,) = np.nonzero(boxed.all(axis=1))
        pair, start, end = self._intervals(inner[maybe])
        by = outer[maybe][pair]
        height = self._height[by]
        top = start - start % height
        covered = self._covered(by, start, end)
        # A run that goes on into the next column has nothing below it in its own.
        bottom = np.maximum(top + height, end)
        between = (self._covered(by, top, start) > 0) & (self._covered(by, end, bottom) > 0)
        enclosed = np.bincount(pair, np.where(between, end - start, covered), len(maybe))
        found = np.zeros(len(outer), bool)
        found[maybe] = enclosed >= INSIDE * self.area[inner[maybe]]
        return found

    def _intervals(self, masks: Int) -> tuple[Int, Int, Int]:
        """The foreground intervals of the given masks: place in the list, start, end."""
        lengths = np.diff(self._first)[masks]
        place = np.repeat(np.arange(len(masks)), lengths)
        at = self._first[masks][place] + rle.positions(rle.starts(lengths))
        return place, self._parts.start[at], self._parts.end[at]

    def _covered(self, mask: Int, start: Int, end: Int) -> NDArray[np.float64]:
        """How many pixels from `start` to before `end` belong to a mask.

        The number of set pixels before a position is piecewise linear between the borders, with
        slopes of 0 and 1, so that interpolation is exact.
        """
        shift = self._shift[mask]
        ends: NDArray[np.float64] = np.interp(end + shift, self._borders, self._until)
        starts: NDArray[np.float64] = np.interp(start + shift, self._borders, self._until)
        return ends - starts


def _nearest(shapes: _Shapes, pairs: int) -> tuple[Int, Int]:
    """The nearest pairs of masks within each image, as positions."""
    first, second = _all_pairs(shapes.image_id)
    gap = np.maximum(
        shapes.low[second] - shapes.high[first], shapes.low[first] - shapes.high[second]
    )
    gap = (np.maximum(gap, 0) ** 2).sum(axis=1)
    distance = ((shapes.centroid[first] - shapes.centroid[second]) ** 2).sum(axis=1)
    image = shapes.image_id[first]
    order = np.lexsort((second, first, distance, gap, image))
    _, sizes = np.unique(image, return_counts=True)
    kept = order[rle.positions(rle.starts(sizes)) < pairs]
    return first[kept], second[kept]


def _all_pairs(image_id: Int) -> tuple[Int, Int]:
    """Every pair of rows of the same image, the earlier row first."""
    _, sizes = np.unique(image_id, return_counts=True)
    later = np.repeat(sizes, sizes) - rle.positions(rle.starts(sizes)) - 1
    first = np.repeat(np.arange(len(image_id)), later)
    return first, first + 1 + rle.positions(rle.starts(later))


def _columns_before(position: Int, height: Int) -> Int:
    """The sum of the column numbers of all pixels before a column-major position."""
    column, row = np.divmod(position, height)
    total: Int = height * (column * (column - 1) // 2) + column * row
    return total


def _parts(image_id: Int) -> Iterable[tuple[int, int]]:
    """Cut rows into stretches of whole images with a bounded number of pairs each."""
    _, first, sizes = np.unique(image_id, return_index=True, return_counts=True)
    part = np.cumsum(sizes * (sizes - 1) // 2) // _PAIRS_AT_ONCE
    cuts = [0, *first[1:][np.diff(part) > 0].tolist(), len(image_id)]
    return itertools.pairwise(cuts)
