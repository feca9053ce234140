"""Relations among found masks, told of the annotated masks that these stand for.

As scene graphs are judged where masks are found too (SGDet, arXiv 2002.11949): a mask stands for
an annotated one that it overlaps by half (IoU), whatever either is called.
"""

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from semtok.extract.average_precision import compressed

#: IoU from which on a mask stands for an annotated one.
_HALF = 0.5


def told_of(relations: pa.Table, found: pa.Table, wanted: pa.Table) -> pa.Table:
    """Let relations name annotated masks.

    One by one, the likeliest first, each found mask of an image takes what it overlaps most of the
    annotated masks that are left (as COCO's average precision pairs them).

    Args:
        relations: schema `SCENE_GRAPHS`, among found masks.
        found: schema `MASKS`, with scores.
        wanted: schema `MASKS`, the annotated ones.

    Returns:
        Schema `SCENE_GRAPHS`: the same relations, their ends mask ids of `wanted`; a mask that
        stands for none has an id below 0 that no other mask of its image has.
    """
    stands_for = _pairs(found, wanted)
    image_ids = relations["image_id"].to_pylist()
    for end in ("subject", "object"):
        ids = [
            stands_for.get((image_id, mask_id), -1 - mask_id)
            for image_id, mask_id in zip(image_ids, relations[end].to_pylist(), strict=True)
        ]
        at = relations.schema.get_field_index(end)
        relations = relations.set_column(at, relations.schema.field(at), pa.array(ids, pa.int32()))
    return relations


def _pairs(found: pa.Table, wanted: pa.Table) -> dict[tuple[int, int], int]:
    """Image and id of a found mask -> id of the annotated mask that it stands for."""
    pairs = {}
    annotated = _by_image(wanted)
    for image_id, rows in _by_image(found).items():
        ours = sorted(rows, key=lambda row: -row["score"])
        theirs = annotated.get(image_id, [])
        left = list(range(len(theirs)))
        for row, overlaps in zip(ours, _overlaps(ours, theirs), strict=True):
            best = max(left, key=lambda at: overlaps[at], default=None)
            if best is not None and overlaps[best] >= _HALF:
                pairs[image_id, row["mask_id"]] = theirs[best]["mask_id"]
                left.remove(best)
    return pairs


def _by_image(masks: pa.Table) -> dict[int, list[dict[str, Any]]]:
    names = ["image_id", "mask_id", "score", "height", "width", "counts"]
    rows = defaultdict(list)
    for row in masks.select(names).to_pylist():
        rows[row["image_id"]].append(row)
    return rows


def _overlaps(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> NDArray[np.float64]:
    """[F, W] IoU of each found mask with each annotated one."""
    if not wanted:
        return np.zeros((len(found), 0))
    ours, theirs = (
        [compressed(row["height"], row["width"], row["counts"]) for row in rows]
        for rows in (found, wanted)
    )
    overlaps: NDArray[np.float64] = coco_mask.iou(ours, theirs, [False] * len(theirs))
    return overlaps
