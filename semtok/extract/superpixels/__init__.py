"""Masks without annotations and without a model: superpixels, which partition the image."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import pyarrow as pa
from annotated_types import Ge
from numpy.typing import NDArray

from semtok.data.rejects import Reject
from semtok.errors import UnreadableImageError
from semtok.extract import rle
from semtok.extract.backends import FoundMask, FoundMasks, Job
from semtok.extract.corruptions import corrupt
from semtok.extract.photos import read_image
from semtok.extract.superpixels.merging import Int, superpixels
from semtok.params import Count

#: What its masks are called, as the detector's are: nobody names them.
_CATEGORY_ID, _CATEGORY = 1, "region"


@dataclass(frozen=True)
class Settings:
    """How an image is cut."""

    regions: Count = 32  # of an image; a tokenizer's max_masks, so that its tokens leave no hole
    compactness: Annotated[float, Ge(0)] = 10.0  # the larger, the rounder (merging.py)
    image_size: Count = 224  # pixels; longer sides are shrunk to it before the image is looked at


def open_masks(job: Job) -> "Superpixels":
    """Nothing to read but the images."""
    return Superpixels(job)


class Superpixels:
    """The superpixels of images."""

    def __init__(self, job: Job) -> None:
        """See `open_masks`."""
        self.strays: list[Reject] = []
        self._root, self._corruption = job.root, job.corruption
        self._settings: Settings = job.settings

    def inputs(self, images: pa.Table) -> bytes:
        """The images' bytes."""
        return hashlib.blake2b("".join(images["sha256"].to_pylist()).encode()).digest()

    def find(self, images: pa.Table) -> FoundMasks:
        """The superpixels of these images; images that cannot be read are set aside."""
        found, rejected = list[FoundMask](), list[Reject]()
        for row in images.to_pylist():
            try:
                pixels = read_image(self._root / row["path"])
            except UnreadableImageError:
                rejected.append(Reject(row["image_id"], None, row["path"], "unreadable"))
                continue
            numbers, masks = rle.of_labels(self._labels(pixels, row["image_id"]))
            named = _CATEGORY_ID, _CATEGORY, 1.0, row["path"]
            found += [
                FoundMask(row["image_id"], number, *named, masks[at])
                for at, number in enumerate(numbers.tolist())
            ]
        return FoundMasks.of(found, rejected)

    def _labels(self, pixels: NDArray[np.uint8], image_id: int) -> Int:
        """The number of each pixel's superpixel, [H, W]."""
        height, width = pixels.shape[:2]
        shrunk = min(1.0, self._settings.image_size / max(height, width))
        h, w = max(1, round(height * shrunk)), max(1, round(width * shrunk))
        if shrunk < 1:
            resized = cv2.resize(pixels, (w, h), interpolation=cv2.INTER_AREA)
            pixels = np.asarray(resized, np.uint8)
        pixels = corrupt(pixels, image_id, self._corruption)
        labels = superpixels(pixels, self._settings.regions, self._settings.compactness)
        # Whole rows and columns are repeated, so that what was connected stays so.
        rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
        return np.asarray(labels[rows[:, None], columns])
