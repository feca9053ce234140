"""Masks by models that were trained elsewhere: what these have in common.

Images are brought into the form that a model reads one by one and looked at in batches of one
shape, so that none is padded because of its company, and a batch says what its images say alone.
"""

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pycocotools import mask as pycocotools_mask
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.data.rejects import Reject
from semtok.errors import SemtokError, UnreadableImageError
from semtok.extract import rle, trained
from semtok.extract.backends import FoundMask, FoundMasks, Job
from semtok.extract.corruptions import corrupt
from semtok.extract.photos import read_image

#: Height and width of the image that FLOPs are counted on: COCO's commonest.
_COUNTED_ON = (480, 640)

#: Images that wait for others of their shape, unless a batch is larger: bounds the memory.
_WAITING = 64

UInt8 = NDArray[np.uint8]


class Seen(NamedTuple):
    """One mask of one image."""

    score: float  # 0 to 1
    category_id: int
    category: str
    runs: rle.Int  # at the image's own size, canonical


class Segmenter(Protocol):
    """A model that was trained elsewhere.

    Attributes:
        network: its weights, which ask for no gradients.
        identity: of all that its answers depend on.
    """

    network: nn.Module
    identity: bytes

    def prepare(self, image: UInt8) -> Tensor:
        """An image as the network reads it: [H, W, 3] RGB -> [3, h, w] float32."""

    def segment(self, pixels: Tensor, sizes: Sequence[tuple[int, int]]) -> list[list[Seen]]:
        """The masks of some images, in any order.

        Args:
            pixels: [B, 3, h, w], prepared.
            sizes: height and width of each image itself.
        """


class Settings(Hashable, Protocol):
    """What the settings of every such model say."""

    @property
    def batch_size(self) -> int:
        """Images looked at at once."""

    @property
    def masks(self) -> int:
        """Masks of an image at most; the best ones stay."""

    @property
    def same(self) -> float:
        """The IoU from which on two masks of an image are one, found twice."""


#: Reads a model of some settings; a folder or file that they name is of the project, [Path].
Reader = Callable[[Any, Path], Segmenter]


def open_masks(read: Reader, job: Job) -> "Predicted":
    """Let the model of a job's settings look at its images.

    Raises:
        SemtokError: it cannot be read.
    """
    return Predicted(job, _model(read, job.settings, job.project))


@cache
def _model(read: Reader, settings: Settings, project: Path) -> Segmenter:
    """The model of some settings, read once in a process."""
    return read(settings, project)


class Predicted:
    """What a model finds in images: a mask backend."""

    def __init__(self, job: Job, model: Segmenter) -> None:
        """Let a model look at the images of a job, whose settings are those of the model."""
        self.strays: list[Reject] = []
        settings: Settings = job.settings
        self._root, self._corruption, self._model = job.root, job.corruption, model
        self._batch_size, self._masks = settings.batch_size, settings.masks
        self._same = settings.same

    def inputs(self, images: pa.Table) -> bytes:
        """The model and the images' bytes."""
        content = hashlib.blake2b(self._model.identity)
        content.update("".join(images["sha256"].to_pylist()).encode())
        return content.digest()

    def find(self, images: pa.Table) -> FoundMasks:
        """The masks of these images; images that cannot be read are set aside."""
        found, rejected = list[FoundMask](), list[Reject]()
        waiting: dict[tuple[int, ...], list[_Prepared]] = {}
        most = max(_WAITING, self._batch_size)
        for row in images.to_pylist():
            try:
                image = read_image(self._root / row["path"])
            except UnreadableImageError:
                rejected.append(Reject(row["image_id"], None, row["path"], "unreadable"))
                continue
            pixels = self._model.prepare(corrupt(image, row["image_id"], self._corruption))
            prepared = _Prepared(row, (image.shape[0], image.shape[1]), pixels)
            waiting.setdefault(tuple(pixels.shape), []).append(prepared)
            fullest = max(waiting, key=lambda shape: len(waiting[shape]))
            held = sum(map(len, waiting.values()))
            if len(waiting[fullest]) == self._batch_size or held == most:
                found += self._look(waiting.pop(fullest))
        for batch in waiting.values():
            found += self._look(batch)
        return FoundMasks.of(found, rejected)

    def _look(self, batch: "list[_Prepared]") -> list[FoundMask]:
        """The masks of a batch."""
        pixels = torch.stack([each.pixels for each in batch]).to(trained.device())
        with torch.inference_mode():
            answers = self._model.segment(pixels, [each.size for each in batch])
        found: list[FoundMask] = []
        for image, seen in zip(batch, answers, strict=True):
            row = image.row
            # A mask of one run is empty.
            kept = distinct([each for each in seen if len(each.runs) > 1], image.size, self._same)
            for rank, each in enumerate(kept[: self._masks]):
                score = min(max(each.score, 0.0), 1.0)
                named = each.category_id, each.category, score
                found.append(FoundMask(row["image_id"], rank, *named, row["path"], each.runs))
        return found


class _Prepared(NamedTuple):
    """An image that waits for others of its shape."""

    row: Mapping[str, Any]  # schema `IMAGES`
    size: tuple[int, int]  # height, width
    pixels: Tensor  # prepared


def distinct(seen: Sequence[Seen], size: tuple[int, int], same: float) -> list[Seen]:
    """Masks without those that repeat a better one, the best first.

    Args:
        seen: of one image; of equal scores the first goes before.
        size: height and width of the image.
        same: IoU from which on two are one.
    """
    ranked = sorted(seen, key=lambda each: -each.score)
    objects = [{"size": [*size], "counts": each.runs.tolist()} for each in ranked]
    strings = pycocotools_mask.frPyObjects(objects, *size) if objects else []
    kept: list[int] = []
    for place in range(len(ranked)):
        better = [strings[other] for other in kept]
        if not kept or pycocotools_mask.iou([strings[place]], better, [0] * len(kept)).max() < same:
            kept.append(place)
    return [ranked[place] for place in kept]


def cost(read: Reader, settings: Settings, project: Path) -> dict[str, float]:
    """What it takes to look at an image of 640 x 480 pixels, as `cost.hand_down` writes it.

    It has learned from none of our labels: images is 0.
    """
    model = _model(read, settings, project)
    blank = model.prepare(np.zeros((*_COUNTED_ON, 3), np.uint8))[None].to(trained.device())
    # A fused kernel of attention would hide its work from the counter.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.segment(blank, [_COUNTED_ON])
    parameters = sum(each.numel() for each in model.network.parameters())
    flops = float(counter.get_total_flops())
    return {"parameters": parameters, "flops_per_image": flops, "images": 0}


def check_finite(numbers: Tensor, name: str) -> None:
    """Refuse what a damaged model says.

    Raises:
        SemtokError: a number is not finite.
    """
    if not bool(numbers.isfinite().all()):
        raise SemtokError(f"{name}: its answers are not finite; its weights are damaged")
