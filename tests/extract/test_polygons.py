"""Polygons are filled pixel by pixel as pycocotools fills them."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as pycocotools_mask

from semtok.extract import polygons, rle

#: Rounded to fifths of a pixel, many vertices and points of edges lie right between two: tenths and
#: halves do so most often.
STEPS = st.sampled_from([1.0, 0.5, 0.1, 0.2, 1 / 3, 1e-6])


@st.composite
def drawings(draw):
    """Some masks, each with its polygons and the height and width of its image."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
        step = draw(STEPS)

        def along(side, step=step):
            places = st.integers(math.ceil(-1 / step), math.floor((side + 1) / step))
            return places.map(lambda place: min(max(place * step, -1.0), side + 1.0))

        corner = st.tuples(along(width), along(height))
        outline = st.lists(corner, min_size=3, max_size=9).map(
            lambda xy: [x for p in xy for x in p]
        )
        found.append((draw(st.lists(outline, min_size=1, max_size=3)), height, width))
    return found


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(drawings())
@example([([[0, 0, 40, 0, 40, 30, 0, 30]], 30, 40)])  # all of its image
@example([([[5, 5, 5, 5, 5, 5]], 30, 40)])  # nothing
@example([([[2, 2, 9, 2, 9, 9, 2, 9], [5, 5, 20, 5, 20, 20, 5, 20]], 30, 40)])  # they overlap
@example([([[0, 0, 3.5, 0, 3.5, 1.5], [0, 0, 0, -0.5, 5.5, 1]], 2, 5)])  # they begin as one
@example([([[1.3, 1, 1.7, 39, 2.1, 1]], 40, 4), ([[0, 0, 3, 0, 3, 3]], 3, 3)])
@example([([[1, 5, 9, 5] * 4000], 10, 10)] * 2)  # there and back again, in one place
def test_each_pixel_is_that_of_pycocotools(drawn):
    outlines, *sides = zip(*drawn, strict=True) if drawn else [(), (), ()]
    heights, widths = (np.array(each, np.int64) for each in sides)
    runs, faults = polygons.rasterise(polygons.read(outlines), heights, widths)
    assert not faults
    assert len(runs) == len(drawn)
    for counts, (outline, height, width) in zip(runs, drawn, strict=True):
        parts = pycocotools_mask.frPyObjects(outline, height, width)
        expected = pycocotools_mask.decode(pycocotools_mask.merge(parts))
        assert counts.tolist() == rle.encode(expected).tolist()


def test_long_edges_fall_as_those_of_pycocotools():
    draw = np.random.default_rng(0)
    size = np.array([3000, 2000])  # width, height
    outlines = [
        [(np.round(draw.random((5, 2)) * size * 10) / 10).ravel().tolist()] for _ in range(30)
    ]
    sides = np.full((2, len(outlines)), [[2000], [3000]])
    runs, _ = polygons.rasterise(polygons.read(outlines), *sides)
    for counts, outline in zip(runs, outlines, strict=True):
        (expected,) = pycocotools_mask.frPyObjects(outline, 2000, 3000)
        ours = pycocotools_mask.frPyObjects({"size": [2000, 3000], "counts": counts.tolist()}, 1, 1)
        assert pycocotools_mask.area(ours) == pycocotools_mask.area(expected)
        assert pycocotools_mask.iou([ours], [expected], [0])[0, 0] == 1.0


def test_places_that_32_bits_cannot_hold_are_those_of_pycocotools():
    side = 30_000  # three images have 2.7e9 pixels
    draw = np.random.default_rng(0)
    outlines = [
        [(draw.random((4, 2)) * 90 + side - 99).ravel().tolist() for _ in range(parts)]
        for parts in (1, 3, 1)
    ]
    runs, faults = polygons.rasterise(polygons.read(outlines), *np.full((2, 3), side))
    assert not faults
    for counts, outline in zip(runs, outlines, strict=True):
        expected = pycocotools_mask.merge(pycocotools_mask.frPyObjects(outline, side, side))
        found, good = rle.decompress([expected["counts"]])
        assert good.all()
        assert counts.tolist() == rle.canonical(found)[0].tolist()


SQUARE = [[2, 2, 9, 2, 9, 9, 2, 9]]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2) | st.just({})
PARTS = st.lists(VALUES, max_size=9) | VALUES


@given(st.lists(st.lists(PARTS, max_size=3) | st.none(), max_size=4))
def test_whatever_json_has_for_polygons_is_read_or_told(outlines):
    found = polygons.read([SQUARE, *outlines, SQUARE])
    assert found.is_null().to_pylist()[1:-1] == [each is None for each in outlines]
    given_ = found.take(np.flatnonzero(found.is_valid()))
    sides = np.full((2, len(given_)), 12)
    runs, faults = polygons.rasterise(given_, *sides)
    assert runs[0].tolist() == runs[len(runs) - 1].tolist()
    assert rle.sums(runs).tolist() == [144] * len(runs)
    assert not faults.keys() & {0, len(runs) - 1}
    assert not rle.areas(runs)[list(faults)].any()
    for at, outline in enumerate((each for each in outlines if each is not None), start=1):
        well_formed = outline and all(
            type(part) is list
            and len(part) >= 6
            and len(part) % 2 == 0
            and all(type(each) in (int, float, bool) and -1 <= each <= 13 for each in part)
            for part in outline
        )
        assert (at in faults) == (not well_formed)
