import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pycocotools import mask as pycocotools_mask
from skimage.measure import block_reduce

from semtok.extract import rle
from semtok.tokens.coverage import coverage

MASKS = npst.arrays(bool, npst.array_shapes(min_dims=3, max_dims=3, max_side=24)).filter(
    lambda masks: masks.any(axis=(1, 2)).all()
)


def shares(pixels: int, cells: int) -> np.ndarray:
    """How much of each cell [cells, pixels] each pixel makes up, for cells that tile the pixels."""
    edges = np.linspace(0, pixels, cells + 1)
    low = np.maximum(edges[:-1, None], np.arange(pixels))
    high = np.minimum(edges[1:, None], np.arange(pixels) + 1)
    return np.maximum(high - low, 0) * cells / pixels


def reference(mask: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    x, y, w, h = box
    inside = mask[y : y + h, x : x + w].astype(np.float64)
    return shares(h, size) @ inside @ shares(w, size).T


def measure(masks: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and boxes of masks [R, H, W]."""
    runs = rle.Runs.of([rle.encode(each) for each in masks])
    heights = np.full(len(masks), masks.shape[1])
    _, boxes = rle.measure(runs, heights)
    return coverage(runs, boxes, heights, size), boxes


@given(MASKS, st.integers(1, 20))
def test_agrees_with_whole_masks(masks, size):
    found, boxes = measure(masks, size)
    wanted = [reference(mask, box, size) for mask, box in zip(masks, boxes, strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_masks_of_images_of_different_heights():
    rng = np.random.default_rng(0)
    masks = [rng.random((height, 9)) < 0.5 for height in (4, 17, 8)]
    runs, heights = rle.Runs.of([rle.encode(each) for each in masks]), np.array([4, 17, 8])
    _, boxes = rle.measure(runs, heights)
    wanted = [reference(mask, box, 3) for mask, box in zip(masks, boxes, strict=True)]
    np.testing.assert_allclose(coverage(runs, boxes, heights, 3), wanted, atol=1e-12)


@given(MASKS, st.integers(1, 4))
def test_a_box_need_not_be_tight(masks, size):
    runs = rle.Runs.of([rle.encode(each) for each in masks])
    height, width = masks.shape[1:]
    whole = np.tile([0, 0, width, height], (len(masks), 1))
    wanted = [reference(mask, box, size) for mask, box in zip(masks, whole, strict=True)]
    np.testing.assert_allclose(
        coverage(runs, whole, np.full(len(masks), height), size), wanted, atol=1e-12
    )


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_whole_factors_agree_with_block_means(factor):
    mask = np.random.default_rng(0).random((8 * factor, 8 * factor)) < 0.5
    mask[[0, -1], [0, -1]] = mask[0, -1] = mask[-1, 0] = True
    found, _ = measure(mask[None], 8)
    wanted = block_reduce(mask.astype(np.float64), (factor, factor), np.mean)
    np.testing.assert_allclose(found[0], wanted, atol=1e-12)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # in pycocotools
def test_coco_masks_agree_with_pycocotools_and_opencv(coco_masks):
    for height, width, compressed in coco_masks:
        runs, _ = rle.decompress([each["counts"] for each in compressed])
        heights = np.full(len(runs), height)
        _, boxes = rle.measure(runs, heights)
        found = coverage(runs, boxes, heights, 16)
        for cells, (x, y, w, h), one in zip(found, boxes, compressed, strict=True):
            mask = pycocotools_mask.decode(one)
            assert mask.shape == (height, width)
            if min(w, h) >= 16:  # OpenCV averages areas only where it reduces
                inside = mask[y : y + h, x : x + w].astype(np.float32)
                wanted = cv2.resize(inside, (16, 16), interpolation=cv2.INTER_AREA)
                np.testing.assert_allclose(cells, wanted, atol=1e-3)
