"""Panoptic masks against the PNGs as Pillow reads them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from semtok.errors import SemtokError
from semtok.extract import rle


def segments(path) -> np.ndarray:
    """The segment of every pixel, by the format's formula."""
    red, green, blue = np.moveaxis(np.asarray(Image.open(path).convert("RGB")).astype(int), 2, 0)
    return red + 256 * green + 65536 * blue


@pytest.mark.parametrize("split", ["train", "val"])
def test_every_segment_of_the_sample_is_what_its_png_shows(sample, split):
    sample.use(masks="panoptic")
    sample.masks(split=split)
    folder = "train2017" if split == "train" else "val2017"
    document = json.loads((sample.root / f"annotations/panoptic_{folder}.json").read_text())
    annotations = {each["image_id"]: each for each in document["annotations"]}
    names = {each["id"]: each["name"] for each in document["categories"]}
    found: dict[int, list] = {}
    for row in sample.rows():
        found.setdefault(row["image_id"], []).append(row)
    assert len(found) > 15
    for image_id, rows in found.items():
        annotation = annotations[image_id]
        labels = segments(sample.root / f"annotations/panoptic_{folder}" / annotation["file_name"])
        listed = {each["id"]: each for each in annotation["segments_info"] if not each["iscrowd"]}
        assert [row["source_id"] for row in rows] == sorted(listed)
        assert [row["mask_id"] for row in rows] == list(range(len(rows)))
        for row in rows:
            mask = labels == row["source_id"]
            np.testing.assert_array_equal(rle.decode(row["counts"], *labels.shape), mask)
            x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            assert (row["x"], row["y"]) == (x.min(), y.min())
            assert (row["w"], row["h"]) == (np.ptp(x) + 1, np.ptp(y) + 1)
            assert row["area"] == mask.sum()
            assert row["category"] == names[listed[row["source_id"]]["category_id"]]
    assert {row["reason"] for row in sample.rejected()} <= {"crowd", "not annotated"}


def test_images_without_an_annotation_are_listed_and_are_no_faults(tiny):
    tiny.use(masks="panoptic")
    tiny.allow(0.0)
    tiny.masks()
    rejected = {(row["image_id"], row["source_id"], row["reason"]) for row in tiny.rejected()}
    assert rejected == {
        (2, 65536, "crowd"),
        (3, None, "not annotated"),
        (4, None, "not annotated"),
        (5, None, "not annotated"),
    }
    found = [(row["image_id"], row["source_id"], row["category"]) for row in tiny.rows()]
    assert sorted(found) == [
        (1, 300, "dog"),
        (1, 5000001, "floor"),
        (1, 8815818, "person"),
        (2, 700, "person"),
    ]


@pytest.mark.parametrize(
    ("change", "source_id", "reason"),
    [
        (lambda s: s.append({**s[0], "id": 9}), 9, "empty: the PNG has no pixel of it"),
        (lambda s: s.append({**s[0], "id": 0}), 0, "empty: the PNG has no pixel of it"),
        (lambda s: s.append(dict(s[0])), 5000001, "repeats a segment id of its image"),
        (lambda s: s.pop(0), 5000001, "a segment of the PNG that segments_info lacks"),
        (
            lambda s: s[2].update(category_id=5),
            300,
            "its category_id is not in the file's categories",
        ),
    ],
)
def test_a_bad_segment_is_set_aside_with_its_reason(tiny, change, source_id, reason):
    tiny.use(masks="panoptic")
    tiny.edit("panoptic_train2017", lambda d: change(d["annotations"][0]["segments_info"]))
    tiny.masks()
    faults = [
        (row["image_id"], row["source_id"], row["reason"])
        for row in tiny.rejected()
        if row["reason"] not in ("crowd", "not annotated")
    ]
    assert faults == [(1, source_id, reason)]


def test_a_png_that_is_missing_cut_off_or_of_another_size_is_set_aside(tiny):
    tiny.use(masks="panoptic")
    folder = tiny.root / "annotations/panoptic_train2017"
    shutil.copy(folder / "000000000002.png", folder / "000000000001.png")
    (folder / "000000000002.png").write_bytes(b"\x89PNG")
    tiny.masks()
    faults = {row["image_id"]: row for row in tiny.rejected() if row["reason"] != "not annotated"}
    assert faults[1]["reason"] == "its panoptic PNG is 32 x 24 pixels, the image 40 x 30"
    assert faults[2]["reason"] == "its panoptic PNG is missing or unreadable"
    assert faults[2]["file"] == "annotations/panoptic_train2017/000000000002.png"
    (folder / "000000000002.png").unlink()
    tiny.masks()
    assert "its panoptic PNG is missing or unreadable" in {r["reason"] for r in tiny.rejected()}
    assert tiny.rows() == []


def test_annotations_of_no_image_and_second_ones_are_set_aside(tiny):
    def spoil(document):
        first, second = document["annotations"]
        document["annotations"] += [{**first, "image_id": 99}, {**second}]

    tiny.use(masks="panoptic")
    tiny.edit("panoptic_train2017", spoil)
    tiny.masks()
    faults = {row["image_id"]: row["reason"] for row in tiny.rejected() if not row["source_id"]}
    assert faults[99] == "no image of that id"
    assert faults[2] == "a further annotation of its image"


def test_a_damaged_file_is_named_with_row_and_field(tiny):
    def spoil(document):
        document["annotations"][1]["segments_info"][0].pop("id")

    tiny.use(masks="panoptic")
    tiny.edit("panoptic_train2017", spoil)
    message = r"panoptic_train2017.json: annotations\[1\].segments_info\[0\].id: missing"
    with pytest.raises(SemtokError, match=message):
        tiny.masks()
