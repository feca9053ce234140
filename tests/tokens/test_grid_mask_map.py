"""The tokenizer `grid_mask_map`, pixel by pixel."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract import rle
from semtok.tokens import grid_mask_map
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction
from semtok.tokens.grid_mask_map import BORDER, INSIDE, OUTSIDE, Settings


def tokenize(found: Extraction, size: int, most: int = 9) -> np.ndarray:
    """The token set of one image."""
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 4), np.uint8)
    made = grid_mask_map.tokenize([pixels], [found], Settings(size, most))[0]
    np.testing.assert_array_equal(made[..., :3], pixels[..., :3])
    return made[..., 3]


def extraction(masks: np.ndarray) -> Extraction:
    return Extraction.of(rle.Runs.of([rle.encode(each) for each in masks]), *masks.shape[1:])


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 5))
def test_the_map_is_that_of_a_loop_over_pixels(seed, count, most):
    rng = np.random.default_rng(seed)
    height, width, size = rng.integers(1, 20, 3)
    masks = rng.random((count, height, width)) < rng.random((count, 1, 1))
    masks[np.arange(count), rng.integers(0, height, count), rng.integers(0, width, count)] = True
    kept = sorted(range(count), key=lambda number: -masks[number].sum())[:most]
    owner = {}
    for i in range(size):
        for j in range(size):
            y, x = int((i + 0.5) / size * height), int((j + 0.5) / size * width)
            covering = [number for number in kept if masks[number, y, x]]
            owner[i, j] = covering[-1] if covering else None
    wanted = np.empty((size, size), int)
    for (i, j), own in owner.items():
        around = [
            owner.get(place, own) for place in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
        ]
        ends = any(each != own for each in around)
        wanted[i, j] = OUTSIDE if own is None else BORDER if ends else INSIDE
    np.testing.assert_array_equal(tokenize(extraction(masks), int(size), most), wanted)


def test_the_map_does_not_tell_masks_apart_by_number():
    """Two masks of one picture, and the same with their areas in the other order."""
    masks = np.zeros((2, 12, 12), bool)
    masks[0, 1:5, 1:5] = masks[1, 6:11, 6:11] = True
    found = tokenize(extraction(masks), 12)
    assert set(np.unique(found)) == {OUTSIDE, INSIDE, BORDER}
    np.testing.assert_array_equal(found, tokenize(extraction(masks[::-1]), 12))


def test_an_image_without_masks_has_no_border():
    assert (tokenize(WHOLE_IMAGE, 6) == INSIDE).all()
