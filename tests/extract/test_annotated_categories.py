"""What the training annotations name, counted by the rows of the files themselves."""

import json

import pytest

from semtok.data import files
from semtok.errors import SemtokError
from semtok.extract.annotated_categories import NAME, hand_down
from semtok.json_files import read_json


@pytest.mark.parametrize(("kind", "named"), [("panoptic", "floor"), ("instances", "chair")])
def test_they_are_counted_crowds_aside(tiny_coco, tmp_path, kind, named):
    if kind == "instances":
        for path in (tiny_coco / "annotations").glob("panoptic_train*.json"):
            path.unlink()
    hand_down(tiny_coco, files.list_files(tiny_coco), tmp_path, tmp_path / "state")
    document = read_json(tiny_coco / f"annotations/{kind}_train2017.json")
    names = {each["id"]: each["name"] for each in document["categories"]}
    wanted: dict[str, int] = {}
    for each in document["annotations"]:
        for mask in each["segments_info"] if kind == "panoptic" else [each]:
            if not mask["iscrowd"] and mask["category_id"] in names:
                name = names[mask["category_id"]]
                wanted[name] = wanted.get(name, 0) + 1
    assert read_json(tmp_path / NAME) == wanted and named in wanted


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (
            "panoptic",
            {"segments_info": None},
            r"annotations\[1\].segments_info: None is not a list",
        ),
        ("panoptic", {"segments_info": [3]}, r"\[1\].segments_info\[0\]: expected an object"),
        (
            "panoptic",
            {"segments_info": [{"category_id": [1]}]},
            r"\[1\].segments_info\[0\].category_id: \[1\] is not an integer",
        ),
        ("instances", {"category_id": {}}, r"annotations\[1\].category_id: {} is not an integer"),
    ],
)
def test_a_damaged_file_is_named_with_row_and_field(tiny_coco, tmp_path, kind, change, message):
    if kind == "instances":
        for path in (tiny_coco / "annotations").glob("panoptic_train*.json"):
            path.unlink()
    path = tiny_coco / f"annotations/{kind}_train2017.json"
    document = read_json(path)
    document["annotations"][1] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(SemtokError, match=message) as caught:
        hand_down(tiny_coco, files.list_files(tiny_coco), tmp_path, tmp_path / "state")
    assert path.name in str(caught.value) and "\n" not in str(caught.value)


def test_where_nothing_is_annotated_there_is_nothing(tiny_coco, tmp_path):
    for path in (tiny_coco / "annotations").glob("*_train*.json"):
        path.unlink()
    hand_down(tiny_coco, files.list_files(tiny_coco), tmp_path, tmp_path / "state")
    assert not (tmp_path / NAME).exists()


def test_they_are_read_once_and_anew_when_they_change(tiny_coco, tmp_path):
    listed = files.list_files(tiny_coco)
    hand_down(tiny_coco, listed, tmp_path, tmp_path / "state")
    first = read_json(tmp_path / NAME)
    path = tiny_coco / "annotations/panoptic_train2017.json"
    content = path.read_text()
    path.write_text("damaged, and nobody looks")
    (tmp_path / NAME).unlink()
    hand_down(tiny_coco, listed, tmp_path, tmp_path / "state")
    assert read_json(tmp_path / NAME) == first
    path.write_text(content.replace('"name": "dog"', '"name": "wolf"'))
    hand_down(tiny_coco, files.list_files(tiny_coco), tmp_path, tmp_path / "state")
    first["wolf"] = first.pop("dog")
    assert read_json(tmp_path / NAME) == first
