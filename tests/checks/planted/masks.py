import json
import shutil
from pathlib import Path

from semtok.extract.annotated_categories import NAME
from semtok.extract.masks import MASKS
from tests.checks.planted import Fault, editing, rejecting, repeating, setting
from tests.checks.tiny_line import HEIGHT, WIDTH, Row, mask_row

_KEY = "masks@annotated-train"
_FIRST = ("000.parquet", MASKS)  # image 1 with three masks, image 3 with one
_SECOND = ("001.parquet", MASKS)  # image 2 with two


def _image_twice(folder: Path) -> None:
    """Image 1 in a second shard."""
    editing(*_SECOND, lambda rows: [mask_row(1, 0, (0, 0, 8, 6)), *rows])(folder)


def _emptied(rows: list[Row]) -> None:
    rows[1] |= {"counts": [WIDTH * HEIGHT], "area": 0, "x": 0, "y": 0, "w": 0, "h": 0}


def _last_first(rows: list[Row]) -> list[Row]:
    return [rows[-1], *rows[:-1]]


def _wider(rows: list[Row]) -> None:
    """A mask that agrees with itself, of an image one column wider."""
    *runs, last = rows[3]["counts"]
    rows[3] |= {"width": WIDTH + 1, "counts": [*runs, last + HEIGHT]}


def _reversed(rows: list[Row]) -> list[Row]:
    return rows[::-1]


def _nearly_again(rows: list[Row]) -> None:
    """The only mask of image 3 once more."""
    rows.append(rows[3] | {"mask_id": 1})


def _annotated_otherwise(folder: Path) -> None:
    """Three masks are `thing 0`, two `thing 1`, one `thing 2`, which nobody knows."""
    counts = {"thing 0": 5, "thing 1": 90, "none": 5}
    (folder / NAME).write_text(json.dumps(counts))


def _fault(name: str, plant: object, shows: str, also: set[str] | None = None) -> Fault:
    return Fault(_KEY, name, plant, shows, also or set())


FAULTS = [
    _fault("masks_out_of_order", editing(*_SECOND, _reversed), "image_id=2 mask_id=0"),
    _fault("masks_out_of_order", editing(*_FIRST, _last_first), "image_id=1 mask_id=0"),
    _fault("duplicate_masks", repeating(*_FIRST), "image_id=1 mask_id=0 shard=000.parquet"),
    _fault("duplicate_masks", _image_twice, "image_id=1 mask_id=0"),
    _fault("gaps_in_mask_ids", setting(*_SECOND, 1, mask_id=2), "image_id=2 masks=2 last_id=2"),
    _fault(
        "images_of_other_splits",
        editing(*_SECOND, lambda rows: rows.append(mask_row(101, 0, (0, 0, 4, 6)))),
        "image_id=101",
    ),
    _fault(
        "categories_of_two_names",
        setting(*_SECOND, 1, category="other"),
        "category=['thing 1', 'other']",
    ),
    _fault("empty_masks", editing(*_FIRST, _emptied), "image_id=1 mask_id=1"),
    _fault(
        "wrong_runs",
        editing(*_FIRST, lambda rows: rows[1]["counts"].append(5)),
        "image_id=1 mask_id=1",
        {"wrong_areas", "wrong_boxes"},
    ),
    _fault("wrong_areas", setting(*_FIRST, 2, area=9), "image_id=1 mask_id=2"),
    _fault("wrong_boxes", setting(*_FIRST, 2, w=1), "image_id=1 mask_id=2"),
    _fault("wrong_boxes", setting(*_FIRST, 2, y=1), "image_id=1 mask_id=2"),
    _fault("boxes_outside_image", setting(*_FIRST, 2, w=4), "mask_id=2", {"wrong_boxes"}),
    _fault("boxes_outside_image", setting(*_FIRST, 2, h=5), "mask_id=2", {"wrong_boxes"}),
    _fault("boxes_outside_image", setting(*_FIRST, 0, x=-1), "mask_id=0", {"wrong_boxes"}),
    _fault(
        "wrong_image_sizes",
        editing(*_FIRST, _wider),
        "image_id=3",
    ),
    _fault("scores_out_of_range", setting(*_FIRST, 1, score=1.5), "image_id=1 mask_id=1"),
    _fault("scores_out_of_range", setting(*_FIRST, 1, score=float("nan")), "mask_id=1"),
    _fault("unnamed_categories", setting(*_FIRST, 2, category=""), "image_id=1 mask_id=2"),
    _fault(
        "share_without_masks", editing(*_FIRST, lambda rows: rows[:3]), "2 of 4, first image_id=3"
    ),
    _fault("share_repeated_masks", editing(*_FIRST, _nearly_again), "1 of 7, first image_id=3"),
    _fault("category_drift", _annotated_otherwise, "thing 1: 0.333 of the masks, 0.900 of the"),
    _fault(
        "missing_corrupted",
        lambda folder: shutil.rmtree(folder / "corrupted" / "noise-3"),
        "file=noise-3/000.parquet",
    ),
    _fault(
        "missing_corrupted",
        lambda folder: (folder / "corrupted" / "blur-3" / "001.parquet").unlink(),
        "file=blur-3/001.parquet",
    ),
    rejecting(_KEY),
]
