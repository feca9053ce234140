from collections.abc import Callable

import numpy as np
import pytest

from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows, RegionRows, RelatedPixelRows


@pytest.fixture(scope="session")
def region_rows_of() -> Callable[..., RegionRows]:
    """Random regions and relations: [images] counts of each."""

    def make(seed: int, regions: list[int], relations: list[int]) -> RegionRows:
        random = np.random.default_rng(seed)
        total, edges = sum(regions), sum(relations)
        limits = np.repeat(regions, relations)
        return RegionRows(
            image_ids=np.arange(len(regions)),
            region_counts=np.array(regions),
            features=random.integers(0, 256, (total, 16), np.uint8),
            geometry=random.random((total, 5), np.float32),
            neighbours=(
                random.integers(-1, np.repeat(regions, regions)[:, None], (total, 3))
            ).astype(np.int16),
            edge_counts=np.array(relations),
            edge_ends=random.integers(0, limits[:, None], (edges, 2)).astype(np.int16),
            edge_predicate=random.integers(0, 4, edges),
        )

    return make


@pytest.fixture(scope="session")
def regions_of(region_rows_of) -> Callable[..., TokenBatch]:
    """Token sets of such regions as tangible tokens."""

    def make(
        seed: int, regions: list[int], relations: list[int], intangible: bool = True
    ) -> TokenBatch:
        return Collate(intangible=intangible)(region_rows_of(seed, regions, relations))

    return make


@pytest.fixture(scope="session")
def related_of(region_rows_of) -> Callable[..., TokenBatch]:
    """Random images as four patches, which the relations of such regions join."""

    def make(
        seed: int, regions: list[int], relations: list[int], intangible: bool = True
    ) -> TokenBatch:
        rows = region_rows_of(seed, regions, relations)
        pixels = np.random.default_rng(seed).integers(0, 256, (len(regions), 8, 8, 3), np.uint8)
        return Collate(patch_size=4, intangible=intangible)(RelatedPixelRows(pixels, rows))

    return make


@pytest.fixture(scope="session")
def patches_of() -> Callable[[int, int], TokenBatch]:
    """Random images of 8 x 8 pixels as four patches."""

    def make(seed: int, images: int) -> TokenBatch:
        pixels = np.random.default_rng(seed).integers(0, 256, (images, 8, 8, 3), np.uint8)
        return Collate(patch_size=4)(PixelRows(np.arange(images), pixels))

    return make
