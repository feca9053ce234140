"""Karpathy's splits, in both forms."""

import json
from pathlib import Path

import pytest

from semtok.data import coco
from semtok.errors import SemtokError


def write(root: Path, name: str, document: object) -> None:
    path = root / "annotations" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def test_karpathy_trains_on_restval(tmp_path):
    images = [
        {"cocoid": number, "split": split, "filepath": "val2014", "sentences": []}
        for number, split in enumerate(("train", "restval", "val", "test"))
    ]
    write(tmp_path, "dataset_coco.json", {"images": images, "dataset": "coco"})
    found = coco.karpathy_splits(tmp_path)
    assert found == ({0: "train", 1: "train", 2: "val", 3: "test"}, None)


def test_lists_of_captioned_images_name_val_and_test(tmp_path):
    for split, number in (("val", 391895), ("test", 7)):
        row = {"image": f"val2014/COCO_val2014_{number:012d}.jpg", "caption": ["a"] * 5}
        write(tmp_path, f"coco_karpathy_{split}.json", [row])
    assert coco.karpathy_splits(tmp_path) == ({391895: "val", 7: "test"}, "train")


def test_without_karpathys_files_there_are_no_splits(tmp_path):
    assert coco.karpathy_splits(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "document", "message"),
    [
        (
            "dataset_coco.json",
            {"images": [{"cocoid": 1, "split": "dev"}]},
            r"images\[0\].split: 'dev' is not one of train, restval, val, test",
        ),
        ("dataset_coco.json", {"images": [{"split": "val"}]}, r"images\[0\].cocoid: missing"),
        ("coco_karpathy_val.json", {}, "holds no list"),
        ("coco_karpathy_val.json", [{"image": "a.jpg"}], r"\[0\].image: 'a.jpg' does not end in"),
        ("coco_karpathy_val.json", [], "coco_karpathy_test.json: missing"),
    ],
)
def test_damaged_splits_are_refused(tmp_path, name, document, message):
    write(tmp_path, name, document)
    with pytest.raises(SemtokError, match=message):
        coco.karpathy_splits(tmp_path)
