"""Average precision of predicted masks, by pycocotools, categories aside."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(found: pa.Table, wanted: pa.Table) -> dict[str, float]:
    """How well predicted masks match annotated ones.

    Args:
        found: schema `MASKS`, with scores; those of images without a wanted mask count as wrong.
        wanted: schema `MASKS`.

    Returns:
        AP (mean over IoU 0.50:0.95), AP50 and AP75, 0 to 1; 0 where nothing was found.
    """
    if not found.num_rows or not wanted.num_rows:
        return dict.fromkeys(("AP", "AP50", "AP75"), 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it goes
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [*_images(found, wanted)],
            "categories": [{"id": 1, "name": "region"}],
            "annotations": _annotations(wanted),
        }
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(_annotations(found)), "segm")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {name: float(judge.stats[at]) for at, name in enumerate(("AP", "AP50", "AP75"))}


def compressed(height: int, width: int, counts: list[int]) -> Any:
    """An uncompressed COCO RLE as pycocotools wants it."""
    return coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)


def _images(*tables: pa.Table) -> Iterator[dict[str, int]]:
    names = ("image_id", "height", "width")
    rows = {
        row
        for table in tables
        for row in zip(*(table[name].to_pylist() for name in names), strict=True)
    }
    for image_id, height, width in sorted(rows):
        yield {"id": image_id, "height": height, "width": width}


def _annotations(masks: pa.Table) -> list[dict[str, object]]:
    names = ("image_id", "height", "width", "counts", "area", "score")
    rows = zip(*(masks[name].to_pylist() for name in names), strict=True)
    return [
        {
            "id": number,
            "image_id": image_id,
            "category_id": 1,
            "segmentation": compressed(height, width, counts),
            "area": area,
            "score": score,
            "iscrowd": 0,
        }
        for number, (image_id, height, width, counts, area, score) in enumerate(rows, start=1)
    ]
