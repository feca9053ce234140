"""Measured runs against pycocotools."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as pycocotools_mask

from semtok.checks import runs
from tests.checks.tiny_line import rows_of

MASKS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda s: arrays.arrays(bool, s)),
    max_size=6,
)


def measure(counts: list[list[int]], heights: list[int]) -> runs.Measured:
    lists = pa.array(counts, pa.list_(pa.uint32()))
    return runs.measure(lists, np.array(heights, np.int64))


@given(MASKS)
def test_box_and_area_are_those_of_pycocotools(masks: list[np.ndarray]) -> None:
    encoded = [pycocotools_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
    found = measure([rows_of(mask) for mask in masks], [len(mask) for mask in masks])
    boxes = np.stack([found.x, found.y, found.w, found.h], axis=1)
    np.testing.assert_array_equal(
        boxes, np.array([pycocotools_mask.toBbox(each) for each in encoded]).reshape(-1, 4)
    )
    np.testing.assert_array_equal(found.area, [pycocotools_mask.area(each) for each in encoded])
    np.testing.assert_array_equal(found.pixels, [mask.size for mask in masks])


def test_runs_of_no_length_do_not_move_the_box() -> None:
    # Column 1 of 4 x 4 pixels, in one run, in two with nothing between, and after an empty one.
    found = measure([[4, 4, 8], [4, 2, 0, 2, 8], [0, 0, 4, 4, 8]], [4, 4, 4])
    for values, expected in zip(found, (1, 0, 1, 4, 4, 16), strict=True):
        assert values.tolist() == [expected] * 3


def test_a_slice_is_measured_alone() -> None:
    lists = pa.array([[0, 5, 11], [], [16], [3, 13]], pa.list_(pa.uint32()))
    found = runs.measure(lists[1:], np.full(3, 4))
    assert found.area.tolist() == [0, 0, 13]
    assert found.pixels.tolist() == [0, 16, 16]
    assert (found.x[2], found.y[2], found.w[2], found.h[2]) == (0, 0, 4, 4)


def test_lengths_beyond_the_image_are_no_overflow() -> None:
    found = measure([[2**32 - 1, 2**32 - 1]], [480])
    assert found.pixels.tolist() == [2 * (2**32 - 1)]
