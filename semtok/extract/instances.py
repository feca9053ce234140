"""Masks from `instances_*.json`: polygons, compressed RLE and uncompressed RLE."""

import marshal
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pycocotools import mask as pycocotools_mask

from semtok.data import coco
from semtok.data.rejects import CROWD, Reject
from semtok.extract import rle
from semtok.extract.backends import FoundMask, FoundMasks, Job
from semtok.extract.polygons import rasterise

_FIELDS: coco.Fields = {
    "id": int,
    "image_id": int,
    "category_id": int,
    "iscrowd": int,
    "segmentation": (list, dict),
}


#: It repeats what somebody has annotated.
READS_ANNOTATIONS = True


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


class _Annotation(NamedTuple):
    source_id: int
    category_id: int
    iscrowd: int
    segmentation: Any


def open_masks(job: Job) -> "Instances":
    """Read the annotation files that belong to the images' folders."""
    return Instances(job)


class Instances:
    """The instance annotations of some images."""

    def __init__(self, job: Job) -> None:
        """Read and check the files; see `open_masks`."""
        self.strays: list[Reject] = []
        self._of_image: dict[int, list[_Annotation]] = defaultdict(list)
        self._categories: dict[str, dict[int, str]] = {}
        wanted = set(job.images["image_id"].to_pylist())
        for folder in sorted({path.partition("/")[0] for path in job.images["path"].to_pylist()}):
            name = f"annotations/instances_{folder}.json"
            path = job.root / name
            document = coco.read_json(path)
            self._categories[folder] = coco.categories(path, document)
            (known,) = coco.columns(path, document, "images", {"id": int})
            rows = zip(*coco.columns(path, document, "annotations", _FIELDS), strict=True)
            listed, seen = set(known), set[int]()
            for source_id, image_id, category_id, iscrowd, segmentation in rows:
                if image_id not in listed:
                    reason = "no image of that id"
                    self.strays.append(Reject(image_id, source_id, name, reason))
                elif source_id in seen:
                    reason = "repeats an annotation id"
                    self.strays.append(Reject(image_id, source_id, name, reason))
                elif image_id in wanted:
                    row = _Annotation(source_id, category_id, iscrowd, segmentation)
                    self._of_image[image_id].append(row)
                seen.add(source_id)

    def inputs(self, images: pa.Table) -> bytes:
        """The annotations of these images, and the names of the categories."""
        rows = [
            [tuple(each) for each in self._of_image.get(image_id, ())]
            for image_id in images["image_id"].to_pylist()
        ]
        # Version 2 tells apart what JSON does, in a tenth of the time that json.dumps takes; the
        # bytes are hashed and never read back.
        return marshal.dumps((self._categories, rows), 2)

    def find(self, images: pa.Table) -> FoundMasks:
        """The masks of these images; crowds and what is malformed are set aside."""
        found = FoundMasks()
        strings: list[bytes] = []
        polygons: list[tuple[FoundMask, list[Any], int, int]] = []

        def accept(mask: FoundMask, string: bytes, fault: str | None) -> None:
            if fault:
                found.reject(mask, fault)
            else:
                found.masks.append(mask)
                strings.append(string)

        columns = (images[name].to_pylist() for name in ("image_id", "path", "height", "width"))
        for image_id, path, height, width in zip(*columns, strict=True):
            folder = path.partition("/")[0]
            file = f"annotations/instances_{folder}.json"
            for row in self._of_image.get(image_id, ()):
                category = self._categories[folder].get(row.category_id, "")
                mask = FoundMask(image_id, row.source_id, row.category_id, category, 1.0, file)
                if row.iscrowd:
                    found.reject(mask, CROWD)
                elif row.category_id not in self._categories[folder]:
                    found.reject(mask, "its category_id is not in the file's categories")
                elif isinstance(row.segmentation, dict):
                    accept(mask, *_compressed(row.segmentation, height, width))
                else:
                    polygons.append((mask, row.segmentation, height, width))
        if polygons:
            masks, outlines, heights, widths = zip(*polygons, strict=True)
            for each in zip(masks, *rasterise(outlines, heights, widths), strict=True):
                accept(*each)
        runs, sound = rle.decompress(strings)
        for at in np.flatnonzero(~sound).tolist():
            found.reject(found.masks[at], "its RLE string is malformed")
        found.masks = [mask for mask, good in zip(found.masks, sound, strict=True) if good]
        found.runs = runs.take(np.flatnonzero(sound))
        return found


def _compressed(rle_object: dict[str, Any], height: int, width: int) -> tuple[bytes, str | None]:
    """The compressed string of an RLE object, and what is wrong with it."""
    size, counts = rle_object.get("size"), rle_object.get("counts")
    if size != [height, width]:
        return b"", f"its RLE's size is {size}, the image's [{height}, {width}]"
    if isinstance(counts, str):
        return counts.encode(errors="surrogatepass"), None
    if isinstance(counts, list) and all(
        type(each) is int and 0 <= each <= height * width for each in counts
    ):
        return pycocotools_mask.frPyObjects(rle_object, height, width)["counts"], None
    return b"", "its RLE's counts are neither a string nor a list of run lengths"
