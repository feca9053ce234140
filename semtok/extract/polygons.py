"""Polygons of annotations: read into flat arrays, checked, and filled."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from semtok.extract.filling import Polygons, fill
from semtok.extract.rle import Int, Runs

#: The polygons of a mask, each x1, y1, x2, y2, ... in pixels.
OUTLINE = pa.list_(pa.list_(pa.float64()))

#: How far, in pixels, a vertex may lie beyond its image: annotation tools round outwards.
_MARGIN = 1.0

#: Whole numbers in JSON may be larger than any that a float holds.
_LARGEST = 1e18

_NO_POLYGON = "no polygon"
_CROOKED = "a polygon needs three corners or more, as x, y pairs"
NO_NUMBER = "a polygon's coordinate is no number"
_OUTSIDE = "outside its image"


def rasterise(outlines: pa.ListArray, heights: Int, widths: Int) -> tuple[Runs, dict[int, str]]:
    """Fill polygons, many masks at once.

    Args:
        outlines: of N masks, type `OUTLINE`, as `read` gives them.
        heights, widths: [N] of each mask's image.

    Returns:
        Canonical runs of N masks; and what is wrong with some, which are empty, by their place.
    """
    numbers = outlines.value_lengths().to_numpy()
    owner = np.repeat(np.arange(len(outlines)), numbers)
    parts = outlines.flatten()
    lengths = parts.value_lengths().to_numpy().astype(np.int64)
    # pycocotools would take four numbers for a box, and drop the last of an odd count.
    crooked = (lengths < 6) | (lengths % 2 == 1)
    flat = parts.flatten().to_numpy()[np.repeat(~crooked, lengths)]
    polygons = Polygons(flat.reshape(-1, 2), lengths[~crooked] // 2, owner[~crooked])
    size = np.stack([widths, heights], axis=1)[polygons.owner]
    first = np.cumsum(polygons.lengths) - polygons.lengths
    low = np.minimum.reduceat(polygons.points, first)
    high = np.maximum.reduceat(polygons.points, first)
    nowhere = np.isnan(low).any(axis=1)
    outside = ~nowhere & ((low < -_MARGIN) | (high > size + _MARGIN)).any(axis=1)

    # Of several faults the last one in this list is told.
    faults = {
        at: fault
        for fault, marked in (
            (_OUTSIDE, polygons.owner[outside]),
            (NO_NUMBER, polygons.owner[nowhere]),
            (_CROOKED, owner[crooked]),
            (_NO_POLYGON, np.flatnonzero(numbers == 0)),
        )
        for at in marked.tolist()
    }
    polygons = polygons.take(~np.isin(polygons.owner, list(faults)))
    return fill(polygons, heights, widths), faults


def read(outlines: Sequence[list[Any] | None]) -> pa.ListArray:
    """Read what JSON has for polygons.

    Returns:
        Type `OUTLINE`. In place of what does not fit stands what has the same fault: no corner for
        what is no list, and NaN for what is no number.
    """
    found = _array(outlines)
    if found is not None:
        return found
    fitted = [
        each if each is None or _array([each]) is not None else _fitted(each) for each in outlines
    ]
    return pa.array(fitted, OUTLINE)


def _array(outlines: Sequence[list[Any] | None]) -> pa.ListArray | None:
    try:
        found = pa.array(outlines, OUTLINE)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    parts = found.flatten()
    return None if parts.null_count or parts.flatten().null_count else found


def _fitted(outline: list[Any]) -> list[list[float]]:
    return [[_number(each) for each in part] if isinstance(part, list) else [] for part in outline]


def _number(value: Any) -> float:
    known = type(value) in (int, float) and abs(value) < _LARGEST
    return float(value) if known else math.nan
