"""Masks from the detector that the stage `detector` trained: they have no category.

Every image is shown to the network of its own fold, which has not been trained on it
(`semtok.extract.crossfit`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.data.rejects import Reject
from semtok.errors import SemtokError, UnreadableImageError
from semtok.extract import rle, trained
from semtok.extract.backends import FoundMask, FoundMasks, Job
from semtok.extract.convolutions import to_tensor
from semtok.extract.corruptions import corrupt
from semtok.extract.crossfit import folds_of
from semtok.extract.detector.network import Network
from semtok.extract.detector.prediction import Seen, find
from semtok.extract.photos import read_image
from semtok.json_files import read_json
from semtok.params import Count, Share

#: It tells masks apart and does not name them.
_CATEGORY_ID, _CATEGORY = 1, "region"

#: Images that a network is shown at once.
_BATCH = 32


@dataclass(frozen=True)
class Settings:
    """How much to state."""

    score: Share = 0.3  # masks below it are left out
    masks: Count = 32  # at most, of an image; the best ones stay


def open_masks(job: Job) -> "Detector":
    """Load the networks, one a fold.

    Raises:
        SemtokError: there is no trained model, or it cannot be read.
    """
    return Detector(job)


class Detector:
    """What the networks find in images."""

    def __init__(self, job: Job) -> None:
        """See `open_masks`."""
        if job.model is None:
            raise SemtokError(
                "params.yaml: extraction: masks of the backend detector need "
                "`masks: detector/NAME`, a trained one"
            )
        self.strays: list[Reject] = []
        self._root, self._settings, self._corruption = job.root, job.settings, job.corruption
        self._size = int(read_json(job.model / "config.json")["image_size"])
        self._networks = trained.load(job.model, new_network)
        self._identity = trained.identity(job.model)

    def inputs(self, images: pa.Table) -> bytes:
        """The networks and the images' bytes."""
        content = hashlib.blake2b(self._identity)
        content.update("".join(images["sha256"].to_pylist()).encode())
        return content.digest()

    def find(self, images: pa.Table) -> FoundMasks:
        """The masks of these images; images that cannot be read are set aside."""
        found, rejected = list[FoundMask](), list[Reject]()
        own = folds_of(images["image_id"].to_numpy(), len(self._networks))
        for fold, network in enumerate(self._networks):
            ours = images.take(np.flatnonzero(own == fold))
            for batch in (ours.slice(at, _BATCH) for at in range(0, ours.num_rows, _BATCH)):
                found += self._find(network, batch, rejected)
        return FoundMasks.of(found, rejected)

    def _find(self, network: Network, images: pa.Table, rejected: list[Reject]) -> list[FoundMask]:
        """The masks of a batch; images that cannot be read join `rejected`."""
        rows, pixels = [], []
        for row in images.to_pylist():
            try:
                image = read_image(self._root / row["path"], self._size)
                pixels.append(corrupt(image, row["image_id"], self._corruption))
                rows.append(row)
            except UnreadableImageError:
                rejected.append(Reject(row["image_id"], None, row["path"], "unreadable"))
        found: list[FoundMask] = []
        if not rows:
            return found
        seen = find(network, to_tensor(pixels).to(trained.device()))
        for row, candidates in zip(rows, seen, strict=True):
            size = row["height"], row["width"]
            drawn = (
                (each.score, rle.encode(_resized(each, *size)))
                for each in candidates
                if each.score >= self._settings.score
            )
            # A mask of one run has no pixel at its image's own size: nothing was found.
            seen_there = ((score, own) for score, own in drawn if len(own) > 1)
            kept = islice(seen_there, self._settings.masks)
            for rank, (score, own) in enumerate(kept):
                named = rank, _CATEGORY_ID, _CATEGORY, score
                found.append(FoundMask(row["image_id"], *named, row["path"], own))
        return found


def new_network(config: Mapping[str, Any]) -> Network:
    """A fresh network of the given `config.json`."""
    return Network(int(config["width"]))


def _resized(seen: Seen, height: int, width: int) -> NDArray[np.uint8]:
    mask: NDArray[np.uint8] = seen.pixels.cpu().numpy().astype(np.uint8)
    if mask.shape != (height, width):
        resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(resized, np.uint8)
    return mask
