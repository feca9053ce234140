"""Masks from panoptic annotations: one per segment of a PNG, `source_id` is the segment's id.

A pixel's segment is R + 256 G + 65536 B; 0 is unlabelled.
"""

import marshal
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.data import coco, documents
from semtok.data.rejects import CROWD, NOT_ANNOTATED, Reject
from semtok.errors import SemtokError
from semtok.extract import rle
from semtok.extract.backends import FoundMask, FoundMasks, Job
from semtok.extract.photos import content
from semtok.remote import AnyPath

_FIELDS: documents.Fields = {"image_id": int, "file_name": str, "segments_info": list}
_SEGMENT_FIELDS: documents.Fields = {"id": int, "category_id": int, "iscrowd": int}


#: It repeats what somebody has annotated.
READS_ANNOTATIONS = True


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


class _Annotation(NamedTuple):
    file: str  # the PNG, relative to the data root
    segments: list[tuple[int, int, int]]  # id, category_id, iscrowd


def open_masks(job: Job) -> "Panoptic":
    """Read the annotation files that belong to the images' folders."""
    return Panoptic(job)


class Panoptic:
    """The panoptic annotations of some images."""

    def __init__(self, job: Job) -> None:
        """Read and check the files; see `open_masks`."""
        self.strays: list[Reject] = []
        self._root = job.root
        self._of_image: dict[int, _Annotation] = {}
        self._categories: dict[int, str] = {}
        self._hashes = dict(
            zip(job.files["path"].to_pylist(), job.files["sha256"].to_pylist(), strict=True)
        )
        wanted = set(job.images["image_id"].to_pylist())
        for folder in sorted({path.partition("/")[0] for path in job.images["path"].to_pylist()}):
            name = f"annotations/panoptic_{folder}"
            path = job.root / f"{name}.json"
            if folder in coco.EDITIONS[2014] and not path.exists():
                raise SemtokError(
                    f"{path}: missing; COCO has panoptic annotations of 2017 alone: name a root of "
                    "2017, whose images are the same, or choose masks: instances"
                )
            document = documents.read_json(path)
            self._categories |= documents.categories(path, document)
            (known,) = documents.columns(path, document, "images", {"id": int})
            listed, seen = set(known), set[int]()
            rows = documents.columns(path, document, "annotations", _FIELDS)
            for number, (image_id, png, segments) in enumerate(zip(*rows, strict=True)):
                where = f"annotations[{number}].segments_info"
                found = documents.check_rows(path, where, segments, _SEGMENT_FIELDS)
                if image_id not in listed:
                    reason = "no image of that id"
                    self.strays.append(Reject(image_id, None, f"{name}/{png}", reason))
                elif image_id in seen:
                    reason = "a further annotation of its image"
                    self.strays.append(Reject(image_id, None, f"{name}/{png}", reason))
                elif image_id in wanted:
                    rows_of = list(zip(*found, strict=True))
                    self._of_image[image_id] = _Annotation(f"{name}/{png}", rows_of)
                seen.add(image_id)

    def inputs(self, images: pa.Table) -> bytes:
        """The annotations of these images, their PNGs' hashes and the categories' names."""
        rows = []
        for image_id in images["image_id"].to_pylist():
            found = self._of_image.get(image_id)
            rows.append((*found, self._hashes.get(found.file, "")) if found else ())
        return marshal.dumps((self._categories, rows), 2)

    def find(self, images: pa.Table) -> FoundMasks:
        """The segments of these images; crowds and what is malformed are set aside."""
        found, rejected = list[FoundMask](), list[Reject]()
        columns = (images[name].to_pylist() for name in ("image_id", "path", "height", "width"))
        for image_id, path, height, width in zip(*columns, strict=True):
            annotation = self._of_image.get(image_id)
            if annotation is None:
                rejected.append(Reject(image_id, None, path, NOT_ANNOTATED))
                continue
            labels = _read(self._root / annotation.file)
            if labels is None or labels.shape != (height, width):
                reason = (
                    "its panoptic PNG is missing or unreadable"
                    if labels is None
                    else f"its panoptic PNG is {labels.shape[1]} x {labels.shape[0]} pixels, "
                    f"the image {width} x {height}"
                )
                rejected.append(Reject(image_id, None, annotation.file, reason))
                continue
            found += self._segments(image_id, annotation, labels, rejected)
        return FoundMasks.of(found, rejected)

    def _segments(
        self,
        image_id: int,
        annotation: _Annotation,
        labels: NDArray[np.int32],
        rejected: list[Reject],
    ) -> list[FoundMask]:
        """The masks of one image; segments that cannot be used join `rejected`."""

        def reject(segment: int, reason: str) -> None:
            rejected.append(Reject(image_id, segment, annotation.file, reason))

        numbers, runs = rle.of_labels(labels)
        place = {number: at for at, number in enumerate(numbers.tolist())}
        unlisted = place.keys() - {0, *(segment for segment, _, _ in annotation.segments)}
        for segment in sorted(unlisted):
            reject(segment, "a segment of the PNG that segments_info lacks")
        kept = []
        seen = set[int]()
        for segment, category_id, iscrowd in annotation.segments:
            if segment in seen:
                reject(segment, "repeats a segment id of its image")
            elif segment not in place or segment == 0:
                reject(segment, "empty: the PNG has no pixel of it")
            elif iscrowd:
                reject(segment, CROWD)
            elif category_id not in self._categories:
                reject(segment, "its category_id is not in the file's categories")
            else:
                named = category_id, self._categories[category_id], 1.0
                own = runs[place[segment]]
                kept.append(FoundMask(image_id, segment, *named, annotation.file, own))
            seen.add(segment)
        return kept


def _read(path: AnyPath) -> NDArray[np.int32] | None:
    """The segment of every pixel, [H, W]."""
    data = content(path)
    png = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if png is None:
        return None
    rgba = cv2.cvtColor(png, cv2.COLOR_BGR2RGBA)
    labels: NDArray[np.int32] = rgba.view("<i4")[..., 0] & 0xFFFFFF
    return labels
