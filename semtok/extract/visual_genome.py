"""Relations of Visual Genome, whose ends are boxes, among the masks that these boxes fit.

An end is the mask whose tight box shares most with its own (IoU). People drew a box around the
whole of a thing, which is what the tight box of its mask is; pixels of a mask inside a box would
favour whatever is small and lies within. Names play no part: Visual Genome's are free words.
"""

import marshal
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from semtok.data import visual_genome
from semtok.data.rejects import ITSELF, NOT_ANNOTATED, RARE, UNMATCHED, Reject
from semtok.data.visual_genome import Box, Image, Relationship
from semtok.errors import SemtokError
from semtok.extract.backends import RELATIONS, FoundRelations, Job
from semtok.extract.image_rows import rows_of

#: It repeats what somebody has annotated.
READS_ANNOTATIONS = True

#: How far the shapes of one image in two sizes are apart by rounding and no more (ratio of width to
#: height).
_ROUNDED = 0.02


@dataclass(frozen=True)
class Settings:
    """Which boxes are masks, and which predicates have a name of their own."""

    overlap: float = 0.5  # IoU of a box with the tight box of a mask that it stands for, at least
    predicates: int = 50  # the most frequent ones of the file; others are set aside


class _Annotation(NamedTuple):
    width: int  # of the image that people saw
    height: int
    rows: list[Relationship]  # predicate: its name, empty where it is none of the frequent ones


def open_scene_graphs(job: Job) -> "VisualGenome":
    """Read the relations of the images, and count the predicates of all others."""
    return VisualGenome(job)


class VisualGenome:
    """The annotated relations of some images."""

    def __init__(self, job: Job) -> None:
        """Read and check the files; see `open_scene_graphs`."""
        self._settings: Settings = job.settings
        images = visual_genome.images(job.root)
        if images is None:
            path = job.root / visual_genome.IMAGES
            raise SemtokError(f"{path}: missing; put it there or choose another extractor")
        wanted = set(job.images["image_id"].to_pylist())
        aliases = visual_genome.aliases(job.root)
        counts = Counter[str]()
        found: list[tuple[Image, list[Relationship]]] = []
        for key, rows in visual_genome.relationships(job.root):
            names = (visual_genome.normal(row.predicate) for row in rows)
            pairs = zip(rows, names, strict=True)
            named = [row._replace(predicate=aliases.get(name, name)) for row, name in pairs]
            counts.update(row.predicate for row in named)
            if key in images and images[key].coco_id in wanted:
                found.append((images[key], named))
        frequent = _frequent(counts, self._settings.predicates)
        self._of_image: dict[int, list[_Annotation]] = defaultdict(list)
        for image, named in found:
            kept = [
                row if row.predicate in frequent else row._replace(predicate="") for row in named
            ]
            annotation = _Annotation(image.width, image.height, kept)
            self._of_image[image.coco_id].append(annotation)

    def inputs(self, images: pa.Table) -> bytes:
        """The annotations of these images, with the predicates by the names that they get."""
        rows = [
            [(each.width, each.height, list(map(tuple, each.rows))) for each in self._of(image_id)]
            for image_id in images["image_id"].to_pylist()
        ]
        return marshal.dumps(rows, 2)

    def find(self, images: pa.Table, masks: pa.Table) -> FoundRelations:
        """The relations of these images; those of boxes that fit no mask are set aside."""
        names = ("x", "y", "w", "h")
        boxes = np.stack([masks[name].to_numpy() for name in names], axis=1).astype(np.float64)
        owners, mask_ids = masks["image_id"].to_numpy(), masks["mask_id"].to_numpy()
        rows: list[tuple[int, int, int, str]] = []
        rejected: list[Reject] = []
        columns = (images[name].to_pylist() for name in ("image_id", "path", "width", "height"))
        for image_id, path, width, height in zip(*columns, strict=True):
            if not self._of(image_id):
                rejected.append(Reject(image_id, None, path, NOT_ANNOTATED))
            mine = rows_of(owners, image_id)
            for annotation in self._of(image_id):
                if reason := _other_shape(annotation, width, height):
                    rejected.append(Reject(image_id, None, visual_genome.IMAGES, reason))
                    continue
                scale = np.array([width / annotation.width, height / annotation.height] * 2)
                ends = (end for row in annotation.rows for end in (row.subject, row.object))
                places = matched(ends, scale, boxes[mine], self._settings.overlap)
                for row in annotation.rows:
                    subject, object_ = places.get(row.subject), places.get(row.object)
                    if reason := _left_out(row, subject, object_):
                        file = visual_genome.RELATIONSHIPS
                        rejected.append(Reject(image_id, row.number, file, reason))
                    else:
                        own = mask_ids[mine]
                        rows.append((image_id, own[subject], own[object_], row.predicate))
        values = [list(each) for each in zip(*rows, strict=True)] if rows else [[]] * 4
        relations = pa.table([*values, [1.0] * len(rows)], schema=RELATIONS)
        return FoundRelations(relations, visual_genome.RELATIONSHIPS, rejected)

    def _of(self, image_id: int) -> list[_Annotation]:
        return self._of_image.get(image_id, [])


def matched(
    ends: Iterable[Box], scale: NDArray[np.float64], masks: NDArray[np.float64], overlap: float
) -> dict[Box, int]:
    """Which mask each box stands for: the one that shares most with it, whatever the others do.

    People drew one thing once for each relation they saw it in, by boxes a few pixels apart. Were
    a mask taken by one box alone, as an assignment has it, half of these would be left out, and
    some would go to what stands behind.

    Args:
        ends: xywh, with repetitions.
        scale: [4] from their pixels to those of masks.
        masks: [M, 4] the tight boxes, xywh.
        overlap: pairs of a lower IoU are none.

    Returns:
        Box -> place among the masks, of those that stand for one; of equal IoU, the first.
    """
    boxes = list(set(ends))
    if not boxes or not len(masks):
        return {}
    theirs = np.array(boxes, np.float64) * scale
    shared: NDArray[np.float64] = coco_mask.iou(theirs, masks, [False] * len(masks))
    best = shared.argmax(axis=1)
    fits = shared.max(axis=1) >= overlap
    return {box: int(mask) for box, mask, fit in zip(boxes, best, fits, strict=True) if fit}


def _frequent(counts: Counter[str], most: int) -> set[str]:
    """The most frequent names; of equally frequent ones, the first by the alphabet."""
    names = sorted((name for name in counts if name), key=lambda name: (-counts[name], name))
    return set(names[:most])


def _other_shape(annotation: _Annotation, width: int, height: int) -> str | None:
    """What is wrong if people saw another image, or part of it, and not the same one smaller."""
    shape, own = annotation.width * height, width * annotation.height
    if min(shape, own) > 0 and abs(shape / own - 1) <= _ROUNDED:
        return None
    return (
        f"annotated at {annotation.width} x {annotation.height} pixels, which is not the shape of "
        f"its {width} x {height}"
    )


def _left_out(row: Relationship, subject: Any, object_: Any) -> str | None:
    if not row.predicate:
        return RARE
    if row.subject == row.object:
        return ITSELF
    if subject is None or object_ is None:
        return UNMATCHED
    return ITSELF if subject == object_ else None
