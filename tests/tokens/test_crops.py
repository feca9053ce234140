import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import block_reduce

from semtok.tokens.crops import crops

BOXES = st.lists(
    st.tuples(*[st.floats(0, 0.99)] * 2, *[st.floats(1e-3, 1)] * 2).map(
        lambda box: (box[0], box[1], min(box[2], 1 - box[0]), min(box[3], 1 - box[1]))
    ),
    min_size=1,
    max_size=4,
)


def overlaps(start: float, extent: float, cells: int, pixels: int) -> np.ndarray:
    """How much of each cell [cells, pixels] each pixel makes up."""
    edges = start + extent * np.arange(cells + 1) / cells
    low = np.maximum(edges[:-1, None], np.arange(pixels))
    high = np.minimum(edges[1:, None], np.arange(pixels) + 1)
    return np.maximum(high - low, 0) * cells / extent


@given(BOXES, st.integers(1, 20), st.integers(1, 40), st.integers(1, 4), st.integers(0, 99))
def test_agrees_with_weighted_sums_over_pixels(boxes, size, side, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, channels), np.uint8)
    found = crops([pixels], np.array([len(boxes)]), np.array(boxes), size)
    assert found.shape == (len(boxes), size, size, channels)
    for crop, (x, y, w, h) in zip(found, np.array(boxes) * side, strict=True):
        wanted = np.einsum(
            "iy,jx,yxc->ijc",
            overlaps(y, h, size, side),
            overlaps(x, w, size, side),
            pixels.astype(np.float64),
        )
        np.testing.assert_allclose(crop, wanted, atol=1e-4)


@pytest.mark.parametrize("factor", [1, 2, 7])
def test_whole_factors_agree_with_block_means(factor):
    pixels = np.random.default_rng(0).integers(0, 256, (16 * factor, 16 * factor, 3), np.uint8)
    found = crops([pixels], np.array([1]), np.array([[0.0, 0.0, 1.0, 1.0]]), 16)[0]
    wanted = block_reduce(pixels.astype(np.float64), (factor, factor, 1), np.mean)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_largest_image_does_not_overflow():
    pixels = np.full((2900, 2900, 1), 255, np.uint8)
    found = crops([pixels], np.array([1]), np.array([[0.5, 0.5, 0.5, 0.5]]), 2)
    np.testing.assert_allclose(found, 255)
