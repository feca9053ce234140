"""Instance masks against pycocotools, on the real sample and on every way to get one wrong."""

import json

import numpy as np
import pytest
from pycocotools import mask as pycocotools_mask

from semtok.errors import SemtokError
from semtok.extract import rle


def reference(annotation: dict, height: int, width: int) -> dict:
    """What pycocotools makes of an annotation."""
    shape = annotation["segmentation"]
    if isinstance(shape, list):
        return pycocotools_mask.merge(pycocotools_mask.frPyObjects(shape, height, width))
    if isinstance(shape["counts"], list):
        return pycocotools_mask.frPyObjects(shape, height, width)
    return {**shape, "counts": shape["counts"].encode()}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_mask_of_the_sample_is_that_of_pycocotools(sample, split):
    sample.masks(split=split)
    folder = "train2017" if split == "train" else "val2017"
    document = json.loads((sample.root / f"annotations/instances_{folder}.json").read_text())
    annotations = {each["id"]: each for each in document["annotations"]}
    names = {each["id"]: each["name"] for each in document["categories"]}
    rows = sample.rows()
    assert len(rows) > 300
    for row in rows:
        annotation = annotations[row["source_id"]]
        expected = reference(annotation, row["height"], row["width"])
        assert row["area"] == pycocotools_mask.area(expected)
        box = [row[side] for side in "xywh"]
        assert box == pycocotools_mask.toBbox(expected).tolist()
        size = [row["height"], row["width"]]
        ours = pycocotools_mask.frPyObjects({"size": size, "counts": row["counts"]}, *size)
        assert ours["counts"] == expected["counts"]
        assert row["image_id"] == annotation["image_id"]
        assert row["category_id"] == annotation["category_id"]
        assert row["category"] == names[annotation["category_id"]]
        assert row["score"] == 1.0

    for row in rows[::20]:
        expected = reference(annotations[row["source_id"]], row["height"], row["width"])
        drawn = rle.decode(row["counts"], row["height"], row["width"])
        np.testing.assert_array_equal(drawn, pycocotools_mask.decode([expected])[:, :, 0])
    images = {row["image_id"] for row in rows}
    ours = {row["source_id"] for row in rows}
    crowds = {row["source_id"] for row in sample.rejected()}
    assert {row["reason"] for row in sample.rejected()} == {"crowd"}
    assert ours == {
        number
        for number, each in annotations.items()
        if each["image_id"] in images and not each["iscrowd"]
    }
    assert all(annotations[number]["iscrowd"] for number in crowds)


def test_every_way_to_write_a_mask_is_read(tiny):
    tiny.masks()
    rows = {row["source_id"]: row for row in tiny.rows()}
    assert rows[104]["counts"] == rows[105]["counts"] == [49, 10, 14, 10, 685]
    assert [rows[104][side] for side in "xywh"] == [2, 1, 2, 10]
    # Two polygons are one mask; the JSON's own area and box are wrong and are not believed.
    assert rows[103]["area"] > 400
    assert [rows[103][side] for side in "xywh"] == [1, 1, 21, 32]
    assert [(row["source_id"], row["reason"]) for row in tiny.rejected()] == [(106, "crowd")]


def test_empty_runs_vanish(tiny):
    def spread(document):
        (row,) = (each for each in document["annotations"] if each["id"] == 105)
        row["segmentation"]["counts"] = [49, 4, 0, 6, 14, 10, 685, 0, 0]

    tiny.edit("instances_train2017", spread)
    tiny.masks()
    rows = {row["source_id"]: row for row in tiny.rows()}
    assert rows[105]["counts"] == rows[104]["counts"]


def test_rows_are_ordered_and_masks_numbered_within_their_image(tiny):
    tiny.masks()
    by_image: dict[int, list] = {}
    for row in tiny.rows():
        by_image.setdefault(row["image_id"], []).append((row["mask_id"], row["source_id"]))
    assert by_image == {1: [(0, 102), (1, 501)], 2: [(0, 104), (1, 105)], 3: [(0, 103)]}


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[2, 2, 45, 2, 22, 20]], "outside its image"),
        ([[2, 2, 22, 2, 22, -9]], "outside its image"),
        ([[2, 2, float("nan"), 2, 22, 20]], "a polygon's coordinate is no number"),
        ([[2, 2, 22, 20]], "a polygon needs three corners or more, as x, y pairs"),
        ([[2, 2, 22, 2, 22, 20, 3]], "a polygon needs three corners or more, as x, y pairs"),
        ([[2, 2, None, 2, 22, 20]], "a polygon's coordinate is no number"),
        ([[2, 2, [9], 2, 22, 20]], "a polygon's coordinate is no number"),
        ([[2, 2, 10**400, 2, 22, 20]], "a polygon's coordinate is no number"),
        ([], "no polygon"),
        ([[5, 5, 5, 5, 5, 5]], "empty"),
        ({"size": [30, 40], "counts": [1200]}, "empty"),
        (
            {"size": [30, 40], "counts": [10, 1191]},
            "its runs cover 1201 pixels, the image has 1200",
        ),
        (
            {"size": [40, 30], "counts": [0, 1200]},
            "its RLE's size is [40, 30], the image's [30, 40]",
        ),
        ({"counts": [0, 1200]}, "its RLE's size is None, the image's [30, 40]"),
        ({"size": [30, 40], "counts": "P"}, "its RLE string is malformed"),
        ({"size": [30, 40], "counts": "é"}, "its RLE string is malformed"),
        ({"size": [30, 40], "counts": "\ud800"}, "its RLE string is malformed"),
        (
            {"size": [30, 40], "counts": [-10, 1210]},
            "its RLE's counts are neither a string nor a list of run lengths",
        ),
        (
            {"size": [30, 40], "counts": None},
            "its RLE's counts are neither a string nor a list of run lengths",
        ),
    ],
)
def test_a_bad_mask_is_set_aside_with_its_reason_and_no_other(tiny, segmentation, reason):
    def spoil(document):
        (bad,) = (each for each in document["annotations"] if each["id"] == 501)
        bad["segmentation"] = segmentation

    tiny.edit("instances_train2017", spoil)
    tiny.masks()
    faults = [row for row in tiny.rejected() if row["reason"] != "crowd"]
    assert [(row["image_id"], row["source_id"], row["reason"]) for row in faults] == [
        (1, 501, reason)
    ]
    assert faults[0]["file"] == "annotations/instances_train2017.json"
    assert sorted(row["source_id"] for row in tiny.rows()) == [102, 103, 104, 105]


def test_annotations_of_no_image_and_repeated_ids_are_set_aside(tiny):
    def spoil(document):
        first = document["annotations"][0]
        document["annotations"] += [
            {**first, "id": 900, "image_id": 99},
            {**first, "image_id": 2},
            {**first, "id": 901, "category_id": 77},
        ]

    tiny.edit("instances_train2017", spoil)
    tiny.masks()
    faults = {
        (row["image_id"], row["source_id"]): row["reason"]
        for row in tiny.rejected()
        if row["reason"] != "crowd"
    }
    assert faults == {
        (99, 900): "no image of that id",
        (2, 501): "repeats an annotation id",
        (1, 901): "its category_id is not in the file's categories",
    }


def test_annotations_of_images_that_the_index_set_aside_are_left_out(tiny):
    (tiny.root / "train2017/000000000001.jpg").unlink()
    tiny.masks()
    assert {row["image_id"] for row in tiny.rows()} == {2, 3}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d["annotations"][1].pop("iscrowd"), r"annotations\[1\].iscrowd: missing"),
        (
            lambda d: d["annotations"][1].update(segmentation="x"),
            r"annotations\[1\].segmentation: 'x' is not a list or an object",
        ),
        (lambda d: d.pop("categories"), "categories: expected a list"),
        (lambda d: d["images"][0].update(id="1"), r"images\[0\].id: '1' is not an integer"),
        (
            lambda d: d["categories"][1].update(id=2**31),
            r"categories\[1\].id: 2147483648 is not an integer of 32 bits; renumber",
        ),
    ],
)
def test_a_damaged_file_is_named_with_row_and_field(tiny, spoil, message):
    tiny.edit("instances_train2017", spoil)
    with pytest.raises(SemtokError, match=message) as caught:
        tiny.masks()
    assert "instances_train2017.json" in str(caught.value)


def test_more_faults_than_allowed_stop_the_stage_and_name_the_first(tiny):
    def spoil(document):
        for each in document["annotations"][:2]:
            each["segmentation"] = []

    tiny.edit("instances_train2017", spoil)
    tiny.allow(0.4)
    tiny.masks()
    tiny.allow(0.39)
    with pytest.raises(SemtokError, match=r"instances_train2017.json: entry .* no polygon; 2 of 5"):
        tiny.masks()


def test_crowds_are_no_faults(tiny):
    tiny.allow(0.0)
    tiny.masks()
    assert [row["reason"] for row in tiny.rejected()] == ["crowd"]
