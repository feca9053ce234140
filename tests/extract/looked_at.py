"""What a backend of a model finds in the images of the tiny root, for tests of several backends."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as pycocotools_mask

from semtok.data.index import split_images
from semtok.extract.backends import FoundMasks, Job, find_backend
from semtok.extract.corruptions import CLEAN, Corruption
from tests.extract.conftest import Extraction

#: One mask: category, score, and RLE of pycocotools.
Mask = tuple[str, float, dict[str, Any]]


def look(
    tiny: Extraction, backend: str, corruption: Corruption = CLEAN, **settings: object
) -> FoundMasks:
    """Ask a backend about the images of train."""
    listed, index = tiny.index()
    images = split_images(index, "train")
    found = find_backend("masks", backend, {backend: settings})
    return found.open(Job(tiny.root, listed, images, found.settings, None, corruption)).find(images)


def sizes(tiny: Extraction) -> dict[int, tuple[int, int]]:
    """Image id -> height and width."""
    _, index = tiny.index()
    rows = split_images(index, "train").to_pylist()
    return {row["image_id"]: (row["height"], row["width"]) for row in rows}


def by_image(tiny: Extraction, found: FoundMasks) -> dict[int, list[Mask]]:
    """Image id -> its masks, the best first."""
    size_of = sizes(tiny)
    images: dict[int, list[Mask]] = {image_id: [] for image_id in size_of}
    for at, mask in enumerate(found.masks.to_pylist()):
        size = size_of[mask["image_id"]]
        counts = {"size": [*size], "counts": found.runs[at].tolist()}
        string = pycocotools_mask.frPyObjects(counts, *size)
        images[mask["image_id"]].append((mask["category"], mask["score"], string))
    return images


def overlaps(masks: list[Mask]) -> np.ndarray:
    """[N, N] IoU of the masks of an image, 0 of each with itself."""
    strings = [string for *_, string in masks]
    found = pycocotools_mask.iou(strings, strings, [0] * len(strings))
    return np.asarray(found) - np.eye(len(strings))


def assert_alike(one: dict[int, list[Mask]], other: dict[int, list[Mask]]) -> None:
    """The same masks, category by category, in the same order, but for rounding.

    Between random masks one pixel may be a tie, and processors break it as they round; in a mask of
    a tiny image that is more than a thousandth. Of all that was found it may not be more.
    """
    assert one.keys() == other.keys() and any(one.values())
    shared = found = 0
    for image_id, masks in one.items():
        assert len(masks) == len(other[image_id])
        for mask, twin in zip(masks, other[image_id], strict=True):
            assert mask[0] == twin[0] and mask[1] == pytest.approx(twin[1], abs=1e-4)
            either, both = (
                pycocotools_mask.area(pycocotools_mask.merge([mask[2], twin[2]], intersect=every))
                for every in (False, True)
            )
            assert both >= 0.999 * either or either - both <= 1
            shared, found = shared + int(both), found + int(either)
    assert shared >= 0.999 * found
