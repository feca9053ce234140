"""What the training annotations of a data set name, to hold against what a model names."""

from collections import Counter
from pathlib import Path

from semtok.data import coco
from semtok.json_files import write_json

NAME = "annotated_categories.json"

#: The category of every mask of a model that tells regions apart and names none.
UNNAMED = "region"

_KINDS = ("panoptic", "instances")


def hand_down(root: Path, staging: Path) -> None:
    """Write how many masks of each category are annotated in the training folders.

    Nothing is written where nothing is annotated. Panoptic annotations, which name things and
    stuff, go before those of instances; crowds do not count.

    Args:
        root: the data root.
        staging: the folder to write to.

    Raises:
        SemtokError: an annotation file is damaged.
    """
    for kind in _KINDS:
        paths = sorted((root / "annotations").glob(f"{kind}_train*.json"))
        if paths:
            total: Counter[str] = Counter()
            for path in paths:
                total += _count(path)
            write_json(staging / NAME, dict(sorted(total.items())))
            return


def _count(path: Path) -> Counter[str]:
    """Category -> annotated masks."""
    document = coco.read_json(path)
    names = coco.categories(path, document)
    rows = document.get("annotations", [])
    masks = [mask for row in rows for mask in row.get("segments_info", [row])]
    return Counter(
        names[mask["category_id"]]
        for mask in masks
        if not mask.get("iscrowd") and mask.get("category_id") in names
    )
