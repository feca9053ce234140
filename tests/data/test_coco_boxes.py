"""Boxes of COCO's instances, of all images and of those that a list names."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from semtok.data import coco_boxes
from semtok.errors import SemtokError

NAMES = {
    3: "COCO_train2014_000000000003.jpg",
    1: "b.jpg",
    2: "a.jpg",
    7: "empty.jpg",
    8: "of a list.jpg",
}


@pytest.fixture
def root(tmp_path) -> Path:
    """Four images: one with two boxes, one with a crowd besides, one with a crowd alone."""
    boxes = [
        (3, [1.5, 2, 10, 4], 0),
        (3, [0, 0, 5, 5], 0),
        (1, [2, 2, 3, 3], 1),
        (2, [0, 0, 9, 9], 1),
    ]
    boxes += [(8, [0, 0, 1, 1], 0), (1, [4, 5, 6, 7], 0)]
    images = [
        {"id": key, "file_name": name, "width": 20, "height": 10} for key, name in NAMES.items()
    ]
    annotations = [
        {"id": n, "image_id": owner, "bbox": box, "iscrowd": crowd, "category_id": 1}
        for n, (owner, box, crowd) in enumerate(boxes)
    ]
    document = {"images": images, "annotations": annotations}
    (tmp_path / "instances.json").write_text(json.dumps(document))
    (tmp_path / "images").mkdir()
    for name in NAMES.values():
        (tmp_path / "images" / name).write_bytes(b"")
    return tmp_path


def test_boxes_have_corners_and_crowds_none(root) -> None:
    first, second, _ = coco_boxes.read(root / "images", root / "instances.json")
    assert [each.path.name for each in (first, second)] == ["b.jpg", NAMES[3]]
    assert first.boxes.tolist() == [[4, 5, 10, 12]]
    assert second.boxes.tolist() == [[1.5, 2, 11.5, 6], [0, 0, 5, 5]]
    assert (first.width, first.height) == (20, 10)


def test_a_list_names_some_with_their_folders(root) -> None:
    (root / "listed.txt").write_text(f"train2014/{NAMES[3]} \n\ntrain 2014/{NAMES[8]}\r\n")
    found = coco_boxes.read(root / "images", root / "instances.json", root / "listed.txt")
    assert [each.path.name for each in found] == [NAMES[3], NAMES[8]]


def test_what_does_not_fit_together_is_refused(root) -> None:
    images, instances, listed = root / "images", root / "instances.json", root / "listed.txt"
    with pytest.raises(SemtokError, match=r"listed\.txt: no list of names .*; replace it"):
        coco_boxes.read(images, instances, listed)
    listed.write_text("c.jpg\nb.jpg\nd.jpg\n")
    told = r"listed\.txt: 2 names are not in instances\.json, the first is c\.jpg; name the files"
    with pytest.raises(SemtokError, match=told):
        coco_boxes.read(images, instances, listed)
    listed.write_text("a.jpg")
    with pytest.raises(SemtokError, match=r"instances\.json: no image of it has a box"):
        coco_boxes.read(images, instances, listed)
    (images / "b.jpg").unlink()
    with pytest.raises(SemtokError, match=r"b\.jpg: missing, and its boxes are annotated; restor"):
        coco_boxes.read(images, instances)
    (images / "b.jpg").write_bytes(b"")
    for box in (
        *(
            [1, 2, 3],
            [1, 2, 3, 4, 5, 6, 7, 8],
            [1, 2, 3, "x"],
            ["1", "2", "3", "4"],
            [[1, 2, 3, 4]],
        ),
        *([1, 2, 3, None], [1, 2, 3, math.nan], [1, 2, 3, math.inf], [1, 2, 3, 10**400]),
    ):
        document = json.loads(instances.read_text())
        document["annotations"][-1]["bbox"] = box
        instances.write_text(json.dumps(document))
        with pytest.raises(SemtokError, match=r"b\.jpg: a bbox of it is not four numbers"):
            coco_boxes.read(images, instances)


def test_numbers_of_several_boxes_are_not_pooled(root) -> None:
    instances = root / "instances.json"
    document = json.loads(instances.read_text())
    boxes = [each for each in document["annotations"] if each["image_id"] == 3]
    for each, box in zip(boxes, ([0, 1], [2, 3]), strict=True):
        each["bbox"] = box
    instances.write_text(json.dumps(document))
    with pytest.raises(SemtokError, match=rf"{NAMES[3]}: a bbox of it is not four numbers"):
        coco_boxes.read(root / "images", instances)


def test_the_coco_sample_is_read_as_pycocotools_reads_it(coco_sample) -> None:
    instances = coco_sample / "annotations/instances_val2017.json"
    reference = COCO(instances)
    found = coco_boxes.read(coco_sample / "val2017", instances)
    assert len(found) > 100
    for each in found:
        rows = reference.loadAnns(reference.getAnnIds([int(each.path.stem)], iscrowd=False))
        wanted = np.array([row["bbox"] for row in rows])
        wanted[:, 2:] += wanted[:, :2]
        np.testing.assert_allclose(each.boxes, wanted)
