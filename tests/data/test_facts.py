"""What a card says of the data, against annotations whose licences and repetitions are known."""

import json

import pyarrow as pa
import pytest

from semtok.data.facts import UNSTATED, facts
from semtok.data.index import CAPTIONS, IMAGES, SPLITS
from semtok.tables import write_table

LICENCES = [{"id": 1, "name": "Attribution"}, {"id": 4, "name": "No Derivs"}]


@pytest.fixture
def data(tmp_path):
    """Index and root of four images: two of train, one of val with train's bytes, one of test."""
    index, root = tmp_path / "index", tmp_path / "root"
    rows = [
        (1, "train", "aa", 1),
        (2, "train", "bb", 4),
        (3, "val", "aa", None),
        (4, "test", "c", 1),
    ]
    words = {1: "A cat  sits", 2: "a dog runs", 3: "a cat sits", 4: "a dog sleeps"}
    images = [
        {"image_id": key, "path": f"{key}.jpg", "width": 1, "height": 1, "sha256": bytes_}
        for key, _, bytes_, _ in rows
    ]
    captions = [{"caption_id": key, "image_id": key, "caption": words[key]} for key in words]
    splits = [{"image_id": key, "split": split} for key, split, _, _ in rows]
    for name, table, schema in (
        ("images", images, IMAGES),
        ("captions", captions, CAPTIONS),
        ("splits", splits, SPLITS),
    ):
        write_table(index / f"{name}.parquet", pa.Table.from_pylist(table), schema)
    for folder, ids in (("train2017", (1, 2)), ("val2017", (3, 4))):
        (root / folder).mkdir(parents=True)
        (root / "annotations").mkdir(exist_ok=True)
        listed = [
            {"id": key} | ({"license": licence} if licence else {})
            for key, _, _, licence in rows
            if key in ids
        ]
        document = {"licenses": LICENCES, "images": listed}
        (root / f"annotations/captions_{folder}.json").write_text(json.dumps(document))
    return index, root


@pytest.mark.parametrize(
    "licences",
    [None, "CC", 5, {"id": 1}, ["CC", None, 1], [{"name": "CC"}, {"id": [1]}, {"id": {}}]],
)
def test_a_list_of_something_else_names_no_licence(data, licences):
    index, root = data
    for path in root.glob("annotations/*.json"):
        document = json.loads(path.read_text()) | {"licenses": licences}
        path.write_text(json.dumps(document))
    assert facts(index, root)["train"]["licences"] == {UNSTATED: 2}


@pytest.mark.parametrize("licence", [None, [1], {"id": 1}, 7])
def test_an_image_under_no_such_licence_has_none(data, licence):
    index, root = data
    path = root / "annotations/captions_train2017.json"
    document = json.loads(path.read_text())
    document["images"][1]["license"] = licence
    path.write_text(json.dumps(document))
    assert facts(index, root)["train"]["licences"] == {"Attribution": 1, UNSTATED: 1}


def test_counts_images_captions_licences_and_what_train_has_shown(data):
    assert facts(*data) == {
        "train": {"images": 2, "captions": 2, "licences": {"Attribution": 1, "No Derivs": 1}},
        "val": {
            "images": 1,
            "captions": 1,
            "licences": {UNSTATED: 1},
            "seen_images": 1,
            "seen_captions": 1,
        },
        "test": {
            "images": 1,
            "captions": 1,
            "licences": {"Attribution": 1},
            "seen_images": 0,
            "seen_captions": 0,
        },
    }
