"""Polygons -> compressed RLE, by pycocotools: a mask is what every COCO tool takes it to be."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as pycocotools_mask

#: How far, in pixels, a vertex may lie beyond its image: annotation tools round outwards.
_MARGIN = 1.0

#: Whole numbers in JSON may be larger than any that a float holds.
_LARGEST = 1e18

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
    except (TypeError, ValueError, OverflowError):
        broken = {mask for mask, part in zip(owner, polygons, strict=True) if not _numbers(part)}
        fixed = [[] if mask in broken else each for mask, each in enumerate(outlines)]
        strings, faults = rasterise(fixed, heights, widths)
        for mask in broken:
            faults[mask] = _NO_NUMBER
        return strings, faults
    ends = np.cumsum([0, *lengths]).tolist()
    vertices = [flat[start:end] for start, end in itertools.pairwise(ends)]
    for mask, fault in _misplaced(flat, lengths, owner, heights, widths):
        faults[mask] = fault

    sizes = list(zip(heights, widths, strict=True))
    sound = [part for part, mask in enumerate(owner) if faults[mask] is None]
    filled: list[tuple[int, Any]] = []
    for size, group in itertools.groupby(sound, lambda part: sizes[owner[part]]):
        parts = list(group)
        shapes = pycocotools_mask.frPyObjects([vertices[part] for part in parts], *size)
        filled += zip([owner[part] for part in parts], shapes, strict=True)
    strings = [b""] * len(outlines)
    for mask, pieces in itertools.groupby(filled, lambda pair: pair[0]):
        shapes = [shape for _, shape in pieces]
        whole = shapes[0] if len(shapes) == 1 else pycocotools_mask.merge(shapes)
        strings[mask] = whole["counts"]
    return strings, faults


def _misshapen(parts: list[Any]) -> str | None:
    for part in parts:
        # pycocotools would take four numbers for a box, and drop the last of an odd count.
        if type(part) is not list or len(part) < 6 or len(part) % 2:
            return "a polygon needs three corners or more, as x, y pairs"
    return None if parts else "no polygon"


def _numbers(part: list[Any]) -> bool:
    return all(type(each) in (int, float) and abs(each) < _LARGEST for each in part)


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
