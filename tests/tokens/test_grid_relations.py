"""The tokenizer `grid_relations` against masks as arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.extract import rle
from semtok.tokens import grid, grid_relations, semantic
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction
from semtok.tokens.grid_relations import Settings

SETTINGS = Settings(image_size=32, cell_size=8, max_masks=4, max_relations=3)
RGB = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
PIXELS = np.pad(RGB, ((0, 0), (0, 0), (0, 1)), constant_values=255)


def tokenize(found, settings=SETTINGS):
    """The token set of one image."""
    return grid_relations.tokenize([PIXELS], [found], settings)[0]


def random_extraction(rng: np.random.Generator, count: int) -> tuple[np.ndarray, Extraction]:
    """Masks [M, H, W] of random size and place, a relation between any two."""
    height, width = rng.integers(5, 40, 2)
    masks = rng.random((count, height, width)) < rng.random((count, 1, 1))
    masks[np.arange(count), rng.integers(0, height, count), rng.integers(0, width, count)] = True
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    runs = rle.Runs.of([rle.encode(each) for each in masks])
    found = Extraction.of(runs, int(height), int(width), pairs, ["on"] * len(pairs))
    return masks, found


def averages(mask: np.ndarray, cells: int) -> np.ndarray:
    """Shares [cells, cells] of a mask, each pixel cut into `cells` x `cells` equal pieces."""
    fine = np.kron(mask, np.ones((cells, cells)))
    height, width = mask.shape
    return fine.reshape(cells, height, cells, width).mean(axis=(1, 3))


def test_tokens_of_pixels_hold_no_fourth_channel():
    found = random_extraction(np.random.default_rng(0), 1)[1]
    for pixels in (grid.tokenize([PIXELS], [], grid.Settings(32))[0], tokenize(found).pixels):
        np.testing.assert_array_equal(pixels, RGB)
        assert pixels.base is None or pixels.base.nbytes == RGB.nbytes


@given(st.integers(0, 999), st.integers(1, 6))
def test_cells_say_how_much_of_them_a_mask_covers(seed, count):
    masks, found = random_extraction(np.random.default_rng(seed), count)
    made = tokenize(found).regions.features
    order = sorted(range(count), key=lambda number: -masks[number].sum())[:4]
    assert made.shape == (len(order), 16)
    for cells, mask in zip(made.reshape(-1, 4, 4), masks[order], strict=True):
        share = averages(mask, 4)
        wanted = np.where(share > 1e-9, np.maximum(255 * share, 1), 0)
        np.testing.assert_allclose(cells, wanted, atol=0.5 + 1e-6)
        # Half a cell is half a cell, whatever it is rounded to.
        clear = np.abs(share - 0.5) > 1e-9
        assert ((cells >= 127.5) == (share >= 0.5))[clear].all()


@given(st.integers(0, 999), st.integers(1, 6))
def test_regions_and_relations_are_those_of_semantic_tokens(seed, count):
    _, found = random_extraction(np.random.default_rng(seed), count)
    other = semantic.tokenize([PIXELS], [found], semantic.Settings(32, 4, 4, 3, 2))[0]
    made = tokenize(found)
    np.testing.assert_allclose(made.regions.geometry, other.geometry, atol=1e-6)
    np.testing.assert_array_equal(made.regions.edge_ends, other.edge_ends)
    assert made.regions.edge_predicate == other.edge_predicate
    np.testing.assert_array_equal(made.pixels, RGB)
    assert made.regions.neighbours.shape == (min(count, 4), 0)


def test_a_mask_of_one_pixel_still_has_a_place():
    mask = np.zeros((480, 640), bool)
    mask[470, 3] = True
    found = Extraction.of(rle.Runs.of([rle.encode(mask)]), 480, 640)
    assert np.flatnonzero(tokenize(found).regions.features).tolist() == [12]


def test_an_image_without_masks_is_one_region():
    regions = tokenize(WHOLE_IMAGE).regions
    assert regions.features.tolist() == [[255] * 16]
    assert regions.edge_ends.shape == (0, 2)


@pytest.mark.parametrize("cell_size", [0, 5])
def test_cells_that_do_not_tile_the_image_are_refused(cell_size):
    with pytest.raises(SemtokError, match="does not divide the image's 32 pixels"):
        grid_relations.schema(Settings(32, cell_size, 4, 3))
