"""Run lengths against pycocotools, on any mask."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as pycocotools_mask

from semtok.extract import rle

SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))
MASKS = st.lists(arrays.arrays(np.uint8, SIDES, elements=st.integers(0, 1)), max_size=6)
#: Blocks of pixels, so that runs need one, two or three characters.
BLOCKS = st.lists(
    st.builds(
        lambda mask, high, wide: np.kron(mask, np.ones((high, wide), np.uint8)),
        arrays.arrays(np.uint8, SIDES, elements=st.integers(0, 1)),
        st.sampled_from([1, 7, 60]),
        st.sampled_from([1, 9]),
    ),
    max_size=4,
)


def reference(masks: list[np.ndarray]) -> list[dict]:
    return [pycocotools_mask.encode(np.asfortranarray(each)) for each in masks]


def runs_of(masks: list[np.ndarray]) -> rle.Runs:
    return rle.Runs.of([rle.encode(each) for each in masks])


@given(MASKS | BLOCKS)
def test_strings_of_pycocotools_are_read(masks):
    runs, good = rle.decompress([each["counts"] for each in reference(masks)])
    assert good.all()
    for mask, counts in zip(masks, runs, strict=True):
        np.testing.assert_array_equal(rle.decode(counts, *mask.shape), mask)


@given(MASKS | BLOCKS)
def test_areas_and_boxes_are_those_of_pycocotools(masks):
    runs, expected = runs_of(masks), reference(masks)
    heights = np.array([len(each) for each in masks], np.int64)
    assert rle.areas(runs).tolist() == [pycocotools_mask.area(each) for each in expected]
    assert rle.sums(runs).tolist() == [each.size for each in masks]
    boxes = [pycocotools_mask.toBbox(each).tolist() for each in expected]
    found = rle.measure(runs, heights)
    assert found[0].tolist() == rle.areas(runs).tolist()
    assert found[1].tolist() == boxes


@given(MASKS)
def test_taking_reorders_masks(masks):
    runs = runs_of(masks)
    order = np.arange(len(masks))[::-1].repeat(2)
    taken = runs.take(order)
    assert [each.tolist() for each in taken] == [runs[at].tolist() for at in order]


@given(
    st.lists(
        st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(lambda counts: sum(counts) > 0),
        max_size=5,
    )
)
def test_canonical_runs_are_those_of_the_drawn_mask(lists):
    runs = rle.canonical(rle.Runs.of(lists))
    drawn = [rle.decode(counts, sum(counts), 1) for counts in lists]
    assert [each.tolist() for each in runs] == [rle.encode(each).tolist() for each in drawn]


@given(arrays.arrays(np.int32, SIDES, elements=st.sampled_from([0, 1, 7, 300, 1 << 23])))
def test_every_region_of_a_label_map_is_found(labels):
    numbers, runs = rle.of_labels(labels)
    assert numbers.tolist() == np.unique(labels).tolist()
    for number, counts in zip(numbers, runs, strict=True):
        assert counts.tolist() == rle.encode(labels == number).tolist()


@given(st.lists(st.binary(max_size=12), max_size=6))
def test_malformed_strings_are_told_apart_and_harm_no_other(garbage):
    sound = reference([np.eye(5, dtype=np.uint8)])[0]["counts"]
    runs, good = rle.decompress([sound, *garbage, sound])
    assert good[0]
    assert good[-1]
    assert runs[0].tolist() == runs[len(runs) - 1].tolist()
    for string, fine, counts in zip(garbage, good[1:-1], list(runs)[1:-1], strict=True):
        well_formed = bool(string) and all(48 <= byte < 112 for byte in string)
        if not well_formed or string[-1] - 48 & 0x20:
            assert not fine
        if fine:
            assert (counts >= 0).all()


def test_a_string_that_no_run_could_need_is_malformed():
    _, good = rle.decompress([b"PPPPPPPPPP1", b"1"])
    assert good.tolist() == [False, True]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 19), st.integers(1, 20)).filter(lambda x: x[0] < x[1])),
        max_size=4,
    )
)
def test_intervals_are_joined_wherever_they_touch_or_overlap(masks):
    pixels = np.zeros((len(masks), 20, 1), bool)
    for drawn, parts in zip(pixels, masks, strict=True):
        for start, end in parts:
            drawn[start:end] = True
    rows = [(owner, *part) for owner, parts in enumerate(masks) for part in parts]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    runs = rle.from_intervals(rle.Intervals(*columns), np.full(len(masks), 20))
    assert [each.tolist() for each in runs] == [rle.encode(each).tolist() for each in pixels]
