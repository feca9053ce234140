"""Images and the boxes of their objects, from COCO's instances; COCO20k is some of these."""

import sys
from pathlib import Path

import numpy as np

from semtok.data import documents
from semtok.data.voc import BoxedImage
from semtok.errors import SemtokError


def read(images: Path, instances: Path, listed: Path | None = None) -> list[BoxedImage]:
    """Read all images that have a box, by their ids; a box around a crowd is none.

    Args:
        images: their folder.
        instances: e.g. annotations/instances_train2014.json.
        listed: names of files, one a line, with folders or without; None: all.

    Raises:
        SemtokError: a file is damaged, or names an image that there is not.
    """
    document = documents.read_json(instances)
    of_image = {"id": int, "file_name": str, "width": int, "height": int}
    ids, names, *sizes = documents.columns(instances, document, "images", of_image)
    of_object = {"image_id": int, "bbox": list, "iscrowd": int}
    owners, boxes, crowds = documents.columns(instances, document, "annotations", of_object)
    found: dict[int, list[list[float]]] = {}
    for owner, box, crowd in zip(owners, boxes, crowds, strict=True):
        if not crowd:
            found.setdefault(owner, []).append(box)
    wanted = set(names) if listed is None else _names(listed)
    if unknown := sorted(wanted - set(names)):
        raise SemtokError(
            f"{listed}: {len(unknown)} names are not in {instances.name}, the first is "
            f"{unknown[0]}; name the files that belong together"
        )
    rows = sorted(zip(ids, names, *sizes, strict=True))
    asked = [row for row in rows if row[0] in found and row[1] in wanted]
    if not asked:
        raise SemtokError(f"{instances}: no image of it has a box; name another file")
    return [_boxed(images / name, width, height, found[key]) for key, name, width, height in asked]


def _names(listed: Path) -> set[str]:
    try:
        lines = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines()]
        return {Path(line).name for line in lines if line}
    except (OSError, UnicodeDecodeError) as error:
        raise SemtokError(f"{listed}: no list of names ({error}); replace it") from None


def _boxed(path: Path, width: int, height: int, boxes: list[list[float]]) -> BoxedImage:
    if not path.is_file():
        raise SemtokError(f"{path}: missing, and its boxes are annotated; restore it")
    if not all(map(_is_box, boxes)):
        raise SemtokError(f"{path}: a bbox of it is not four numbers; correct it")
    corners = np.array(boxes, np.float64)
    corners[:, 2:] += corners[:, :2]
    return BoxedImage(path, width, height, corners)


def _is_box(box: list[float]) -> bool:
    """Whether it is four finite numbers; JSON has others, and what is none."""
    return len(box) == 4 and all(
        type(each) in (int, float) and abs(each) <= sys.float_info.max for each in box
    )
