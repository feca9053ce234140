"""Polygons -> compressed RLE, by pycocotools: a mask is what every COCO tool takes it to be."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as pycocotools_mask

#: How far, in pixels, a vertex may lie beyond its image: annotation tools round outwards.
_MARGIN = 1.0

_NO_NUMBER = "a polygon's coordinate is no number"


def rasterise(
    outlines: Sequence[list[Any]], heights: Sequence[int], widths: Sequence[int]
) -> tuple[list[bytes], list[str | None]]:
    """Fill polygons, many masks at once.

    Args:
        outlines: per mask its polygons, each [x1, y1, x2, y2, ...] in pixels.
        heights, widths: of each mask's image.

    Returns:
        Per mask its compressed string, and what is wrong with it (the string is empty then).
    """
    faults: list[str | None] = [_misshapen(each) for each in outlines]
    owner = [mask for mask, parts in enumerate(outlines) if not faults[mask] for _ in parts]
    polygons = [part for mask, parts in enumerate(outlines) if not faults[mask] for part in parts]
    lengths = [len(each) for each in polygons]
    try:
        flat = np.fromiter(itertools.chain.from_iterable(polygons), np.float64, sum(lengths))
    except (TypeError, ValueError):
        broken = {mask for mask, part in zip(owner, polygons, strict=True) if not _numbers(part)}
        fixed = [[] if mask in broken else each for mask, each in enumerate(outlines)]
        strings, faults = rasterise(fixed, heights, widths)
        for mask in broken:
            faults[mask] = _NO_NUMBER
        return strings, faults
    ends = np.cumsum(lengths).tolist()
    vertices = np.split(flat, ends[:-1]) if ends else []
    for mask, fault in _misplaced(flat, lengths, owner, heights, widths):
        faults[mask] = fault

    strings = [b""] * len(outlines)
    for mask, group in itertools.groupby(zip(owner, vertices, strict=True), lambda pair: pair[0]):
        if faults[mask] is None:
            parts = [part for _, part in group]
            filled = pycocotools_mask.frPyObjects(parts, heights[mask], widths[mask])
            whole = filled[0] if len(filled) == 1 else pycocotools_mask.merge(filled)
            strings[mask] = whole["counts"]
    return strings, faults


def _misshapen(parts: list[Any]) -> str | None:
    for part in parts:
        # pycocotools would take four numbers for a box, and drop the last of an odd count.
        if type(part) is not list or len(part) < 6 or len(part) % 2:
            return "a polygon needs three corners or more, as x, y pairs"
    return None if parts else "no polygon"


def _numbers(part: list[Any]) -> bool:
    return all(type(each) in (int, float) for each in part)


def _misplaced(
    flat: NDArray[np.float64],
    lengths: list[int],
    owner: list[int],
    heights: Sequence[int],
    widths: Sequence[int],
) -> list[tuple[int, str]]:
    """The masks with a vertex beyond the margin around their image, or at no place at all."""
    if not lengths:
        return []
    points = flat.reshape(-1, 2)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]]) // 2
    size = np.stack([widths, heights], axis=1)[owner]
    low = np.minimum.reduceat(points, first)
    high = np.maximum.reduceat(points, first)
    inside = ((low >= -_MARGIN) & (high <= size + _MARGIN)).all(axis=1)
    nowhere = set(np.flatnonzero(np.isnan(low).any(axis=1)).tolist())
    return [
        (owner[at], _NO_NUMBER if at in nowhere else "outside its image")
        for at in np.flatnonzero(~inside).tolist()
    ]
