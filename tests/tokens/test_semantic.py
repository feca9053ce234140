from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as pycocotools_mask
from scipy.spatial import KDTree

from semtok.extract import rle
from semtok.tokens import semantic
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction
from semtok.tokens.pixels import decode
from semtok.tokens.semantic import Settings

SETTINGS = Settings(image_size=32, crop_size=4, max_masks=8, max_relations=4, neighbours=3)
RGB = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
PIXELS = np.pad(RGB, ((0, 0), (0, 0), (0, 1)), constant_values=255)


def tokenize(pixels, found, settings):
    """The token set of one image."""
    return semantic.tokenize([pixels], [found], settings)[0]


def extraction(masks: np.ndarray, relations=(), predicates=(), scores=None) -> Extraction:
    runs = rle.Runs.of([rle.encode(each) for each in masks])
    found = Extraction.of(runs, *masks.shape[1:], relations, predicates)
    return found if scores is None else replace(found, scores=np.array(scores, np.float32))


def squares(*sides: int, size: int = 64) -> np.ndarray:
    """Masks of squares along the diagonal."""
    masks = np.zeros((len(sides), size, size), bool)
    at = 0
    for mask, side in zip(masks, sides, strict=True):
        mask[at : at + side, at : at + side] = True
        at += side
    return masks


def overlaps(start: float, extent: float, cells: int, pixels: int) -> np.ndarray:
    edges = start + extent * np.arange(cells + 1) / cells
    low = np.maximum(edges[:-1, None], np.arange(pixels))
    high = np.minimum(edges[1:, None], np.arange(pixels) + 1)
    return np.maximum(high - low, 0) * cells / extent


def reference(pixels: np.ndarray, mask: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Features [k, k, 4] and geometry of one mask, the slow way."""
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    x, y, w, h = xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1
    share = overlaps(y, h, size, height) @ mask @ overlaps(x, w, size, width).T
    side = len(pixels)
    rows = overlaps(y / height * side, h / height * side, size, side)
    columns = overlaps(x / width * side, w / width * side, size, side)
    colours = np.einsum("iy,jx,yxc->ijc", rows, columns, pixels.astype(np.float64), optimize=True)
    features = np.concatenate([colours * share[..., None], 255 * share[..., None]], axis=2)
    box = [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]
    return features, np.array([*box, mask.sum() / mask.size])


@given(st.integers(0, 999), st.integers(1, 6), st.integers(8, 50), st.integers(8, 50))
def test_agrees_with_the_slow_way(seed, count, height, width):
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, height, width), bool)
    for mask in masks:
        y, x = rng.integers(0, (height - 2, width - 2))
        mask[y : y + rng.integers(1, height), x : x + rng.integers(1, width)] = True
        mask &= rng.random(mask.shape) < 0.8
        mask[y, x] = True
    found = tokenize(PIXELS, extraction(masks), SETTINGS)
    order = sorted(range(count), key=lambda number: -masks[number].sum())
    for number, mask in enumerate(masks[order]):
        features, geometry = reference(RGB, mask, 4)
        cells = found.features[number].reshape(4, 4, 4)
        # Rounded to whole levels.
        np.testing.assert_allclose(cells, features, atol=0.5 + 1e-4)
        np.testing.assert_allclose(found.geometry[number], geometry, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # in pycocotools
def test_coco_agrees_with_the_slow_way(coco_sample, coco_masks):
    pixels = decode(next(iter(sorted((coco_sample / "val2017").glob("*.jpg")))), 224)
    settings = replace(SETTINGS, image_size=224, crop_size=16, max_masks=99)
    for _, _, compressed in coco_masks[:5]:
        masks = np.stack([pycocotools_mask.decode(each) for each in compressed]).astype(bool)
        found = tokenize(pixels, extraction(masks), settings)
        order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
        for number, mask in enumerate(masks[order]):
            features, geometry = reference(pixels[..., :3], mask, 16)
            cells = found.features[number].reshape(16, 16, 4)
            np.testing.assert_allclose(cells, features, atol=0.5 + 1e-4)
            np.testing.assert_allclose(found.geometry[number], geometry, atol=1e-6)


def test_images_together_are_the_same_as_alone():
    rng = np.random.default_rng(0)
    images = [np.roll(PIXELS, shift, axis=1) for shift in range(4)]
    relations = {"relations": [(0, 1)], "predicates": ["on"]}
    found = [
        extraction(squares(9, 5, 2), **relations),
        WHOLE_IMAGE,
        extraction(rng.random((12, 40, 30)) < 0.5),
        extraction(squares(3, 8, size=11), **relations),
    ]
    together = semantic.tokenize(images, found, SETTINGS)
    for made, pixels, extracted in zip(together, images, found, strict=True):
        alone = tokenize(pixels, extracted, SETTINGS)
        for name, values in vars(alone).items():
            np.testing.assert_array_equal(getattr(made, name), values)


def test_the_largest_masks_are_kept():
    found = tokenize(PIXELS, extraction(squares(4, 9, 2, 7)), replace(SETTINGS, max_masks=2))
    np.testing.assert_allclose(found.geometry[:, 4] * 64**2, [81, 49])


def test_masks_of_higher_scores_are_kept_before_larger_ones():
    found = replace(
        extraction(squares(4, 9, 2, 7)), mask_scores=np.array([0.9, 0.2, 0.5, 0.5], np.float32)
    )
    made = tokenize(PIXELS, found, replace(SETTINGS, max_masks=2))
    np.testing.assert_allclose(made.geometry[:, 4] * 64**2, [49, 16])


def test_relations_name_the_kept_regions():
    # By area the regions are masks 1, 3, 0, 2; mask 2 is dropped.
    found = extraction(
        squares(4, 9, 2, 7), [(0, 1), (1, 2), (3, 0), (1, 3)], ["a", "b", "c", "d"], [4, 3, 2, 1]
    )
    made = tokenize(PIXELS, found, replace(SETTINGS, max_masks=3))
    assert made.edge_ends.tolist() == [[2, 0], [1, 2], [0, 1]]
    assert made.edge_predicate == ("a", "c", "d")


def test_the_best_relations_are_kept_and_equal_ones_in_order():
    pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2)]
    found = extraction(squares(9, 5, 2), pairs, list("abcde"), [0.5, 0.9, 0.5, 0.1, 0.5])
    made = tokenize(PIXELS, found, replace(SETTINGS, max_relations=3))
    assert made.edge_predicate == ("b", "a", "c")
    assert made.edge_ends.tolist() == [[1, 0], [0, 1], [1, 2]]


def test_relations_of_unknown_masks_are_dropped():
    found = extraction(squares(9, 5), [(0, 7), (1, 0), (2, 1)], list("abc"))
    assert tokenize(PIXELS, found, SETTINGS).edge_predicate == ("b",)


def test_mask_ids_need_not_count_from_zero():
    found = replace(
        extraction(squares(2, 9), [(0, 1)], ["on"]),
        mask_id=np.array([5, 8]),
        relations=np.array([[5, 8]]),
    )
    assert tokenize(PIXELS, found, SETTINGS).edge_ends.tolist() == [[1, 0]]


def test_an_image_without_masks_is_one_region():
    made = tokenize(PIXELS, WHOLE_IMAGE, SETTINGS)
    np.testing.assert_array_equal(made.geometry, [[0.5, 0.5, 1, 1, 1]])
    cells = made.features.reshape(4, 4, 4)
    assert (cells[..., 3] == 255).all()
    wanted = RGB.reshape(4, 8, 4, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(cells[..., :3], wanted, atol=0.5 + 1e-9)
    assert made.neighbours.tolist() == [[-1, -1, -1]]
    assert made.edge_ends.shape == (0, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_neighbours_are_the_nearest_centroids(count):
    rng = np.random.default_rng(count)
    masks = np.zeros((count, 64, 64), bool)
    for mask in masks:
        y, x = rng.integers(0, 56, 2)
        mask[y : y + 8, x : x + 8] = True  # a whole number of pixels a cell
    settings = replace(SETTINGS, max_masks=count)
    made = tokenize(PIXELS, extraction(masks), settings)
    order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
    centroids = np.array([np.argwhere(masks[number]).mean(axis=0) for number in order])
    tree = KDTree(centroids)
    for number, row in enumerate(made.neighbours):
        known = row[row >= 0]
        assert len(known) == min(3, count - 1)
        assert number not in known
        distances = np.linalg.norm(centroids[known] - centroids[number], axis=1)
        nearest, _ = tree.query(centroids[number], k=len(known) + 1)
        np.testing.assert_allclose(distances, np.atleast_1d(nearest)[1:])


def test_a_centroid_is_the_masks_not_the_boxs():
    # An L around a small square: its box's centre is the square's, its own centroid is not.
    masks = np.zeros((3, 64, 64), bool)
    masks[0, :, :8] = masks[0, 56:, :] = True
    masks[1, 30:34, 30:34] = True
    masks[2, 40:44, 16:20] = True
    made = tokenize(PIXELS, extraction(masks), replace(SETTINGS, crop_size=8, neighbours=1))
    assert made.neighbours[:, 0].tolist() == [2, 2, 0]


def test_the_schema_follows_the_settings():
    columns = semantic.schema(SETTINGS).columns
    assert columns.field("features").type.value_type.list_size == 4 * 4 * 4
    assert columns.field("neighbours").type.value_type.list_size == 3
