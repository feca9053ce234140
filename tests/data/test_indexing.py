"""The stage `index`: what is kept, what is set aside and why, and who is in which split."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from semtok.data import coco_listing, files, index, indexing
from semtok.data.halves import half
from semtok.errors import SemtokError
from semtok.events import Event
from semtok.params import DataSettings
from semtok.sharding import shard_of
from semtok.tables import REJECTED, read_table

SETTINGS = DataSettings("tiny", "coco", "", shards=2, rejected_share=1.0)


class Index:
    """The tables of an index as rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = read_table(folder / "images.parquet", index.IMAGES).to_pylist()
        self.captions = read_table(folder / "captions.parquet", index.CAPTIONS).to_pylist()
        rows = read_table(folder / "splits.parquet", index.SPLITS).to_pylist()
        self.splits = {row["image_id"]: row["split"] for row in rows}
        rows = read_table(folder / "truth.parquet", index.TRUTH).to_pylist()
        self.truth = [(row["caption_id"], row["image_id"]) for row in rows]
        self.siblings = read_table(folder / "siblings.parquet", index.SIBLINGS).to_pylist()
        self.rejected = read_table(folder / "rejected.parquet", REJECTED).to_pylist()

    @property
    def reasons(self) -> dict[tuple[int, int | None], str]:
        """(image, caption or None) -> why it was set aside."""
        return {(row["image_id"], row["source_id"]): row["reason"] for row in self.rejected}


def build(root: Path, settings: DataSettings = SETTINGS, emit=lambda event: None) -> Index:
    staging = root.parent / "index"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    indexing.build(root, files.list_files(root), settings, staging, emit)
    return Index(staging)


def edit(root: Path, name: str, change) -> None:
    path = root / "annotations" / f"{name}.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_the_tiny_root_is_indexed_whole(tiny_coco):
    found = build(tiny_coco, replace(SETTINGS, rejected_share=0.0))
    assert [row["image_id"] for row in found.images] == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    first = found.images[0]
    assert first["path"] == "train2017/000000000001.jpg"
    assert (first["width"], first["height"]) == (40, 30)
    assert [row["caption_id"] for row in found.captions[:6]] == [1000, 1001, 1002, 1003, 1004, 2000]
    assert found.captions[0]["caption"] == "Caption 0 of picture 1."
    assert found.rejected == []
    listed = {row["path"]: row["sha256"] for row in files.list_files(tiny_coco).to_pylist()}
    assert all(row["sha256"] == listed[row["path"]] for row in found.images)


def test_the_sample_is_indexed_whole(coco_sample, tmp_path):
    staging = tmp_path / "index"
    staging.mkdir()
    settings = replace(SETTINGS, rejected_share=0.0)
    indexing.build(coco_sample, files.list_files(coco_sample), settings, staging)
    found = Index(staging)
    assert (len(found.images), len(found.captions), len(found.rejected)) == (347, 1736, 0)
    for row in found.images[::10]:
        assert Image.open(coco_sample / row["path"]).size == (row["width"], row["height"])
    names = [index.split_images(staging, split).num_rows for split in ("train", "val", "test")]
    assert names[0] == 235
    assert names[1] + names[2] == 112


def test_folders_give_the_splits_and_halves_are_fixed_by_the_id(tiny_coco):
    splits = build(tiny_coco).splits
    assert {i for i, split in splits.items() if split == "train"} == {1, 2, 3, 4, 5}
    assert {i for i, split in splits.items() if split == "val"} == {6, 8}
    assert {i for i, split in splits.items() if split == "test"} == {7, 10}


def test_halves_are_even_and_independent_of_the_shards():
    halves = np.array([half(i) == "val" for i in range(4000)])
    shards = np.array([shard_of(i, 4) for i in range(4000)])
    for rows in (shards >= 0, *(shards == shard for shard in range(4))):
        assert halves[rows].mean() == pytest.approx(0.5, abs=0.06)


def test_split_images_are_ordered_by_id(tiny_coco):
    folder = build(tiny_coco).folder
    assert index.split_images(folder, "test")["image_id"].to_pylist() == [7, 10]
    assert index.split_images(folder, "test").schema.names == index.IMAGES.columns.names


def test_karpathys_splits_come_first(tiny_coco):
    images = [{"cocoid": i, "split": "restval"} for i in (1, 2, 6, 7, 8, 10)]
    images += [{"cocoid": 3, "split": "val"}, {"cocoid": 4, "split": "test"}]
    (tiny_coco / "annotations/dataset_coco.json").write_text(json.dumps({"images": images}))
    found = build(tiny_coco)
    assert found.splits == {
        **dict.fromkeys((1, 2, 6, 7, 8, 10), "train"),
        3: "val",
        4: "test",
    }
    assert found.reasons[5, None] == "in none of Karpathy's splits"


def cut_off(root: Path) -> None:
    path = root / "train2017/000000000001.jpg"
    path.write_bytes(path.read_bytes()[:-20])


def no_image(root: Path) -> None:
    (root / "train2017/000000000001.jpg").write_bytes(b"no JPEG")


def other_size(root: Path) -> None:
    Image.new("RGB", (30, 40)).save(root / "train2017/000000000001.jpg")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root: (root / "train2017/000000000001.jpg").unlink(), "no such file"),
        (cut_off, "unreadable: "),
        (no_image, "unreadable: cannot identify image file '000000000001.jpg'"),
        (other_size, "is 30 x 40 pixels, the annotations say 40 x 30"),
    ],
)
def test_a_bad_image_is_set_aside_with_its_captions(tiny_coco, spoil, reason):
    spoil(tiny_coco)
    found = build(tiny_coco)
    assert found.reasons[1, None].startswith(reason)
    follow = {key: why for key, why in found.reasons.items() if key[1] is not None}
    assert follow == {(1, 1000 + n): "depends on what was set aside" for n in range(5)}
    assert [row["image_id"] for row in found.images] == [2, 3, 4, 5, 6, 7, 8, 10]
    assert {row["image_id"] for row in found.captions} == set(found.splits)
    assert [row["file"] for row in found.rejected if row["source_id"] is None] == [
        "train2017/000000000001.jpg"
    ]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (40, 1), (7, 30)])
def test_a_small_image_is_no_bad_one(tiny_coco, width, height):
    Image.new("L", (width, height)).save(tiny_coco / "train2017/000000000001.jpg")

    def resize(document: dict) -> None:
        next(each for each in document["images"] if each["id"] == 1).update(
            width=width, height=height
        )

    edit(tiny_coco, "captions_train2017", resize)
    found = build(tiny_coco)
    assert found.rejected == []
    assert (found.images[0]["width"], found.images[0]["height"]) == (width, height)


def test_bad_captions_are_set_aside_with_their_reason(tiny_coco):
    def spoil(document):
        rows = document["annotations"]
        rows[0]["caption"] = " \n"
        rows[1]["id"] = rows[2]["id"]
        rows.append({"id": 77, "image_id": 99, "caption": "Of nothing."})
        document["annotations"] = [row for row in rows if row["image_id"] != 5]
        document["images"].append(dict(document["images"][1]))

    edit(tiny_coco, "captions_train2017", spoil)
    found = build(tiny_coco)
    assert found.reasons == {
        (1, 1000): "empty caption",
        (1, 1002): "repeats a caption id",
        (99, 77): "no image of that id",
        (5, None): "no caption",
        (2, None): "repeats an image id",
    }
    files_named = {row["file"] for row in found.rejected if row["source_id"]}
    assert files_named == {"annotations/captions_train2017.json"}
    kept = [row["caption_id"] for row in found.captions if row["image_id"] == 1]
    assert kept == [1002, 1003, 1004]
    assert 5 not in found.splits
    assert [row["image_id"] for row in found.images].count(2) == 1


def test_more_bad_images_than_allowed_stop_the_stage_and_name_the_first(tiny_coco):
    (tiny_coco / "train2017/000000000001.jpg").unlink()
    build(tiny_coco, replace(SETTINGS, rejected_share=1 / 9))
    message = (
        r"train2017/000000000001.jpg: image 1: no such file; "
        r"1 of 9 images were set aside, data.rejected_share allows 10.00%"
    )
    with pytest.raises(SemtokError, match=message):
        build(tiny_coco, replace(SETTINGS, rejected_share=0.1))


def test_more_bad_captions_than_allowed_stop_the_stage(tiny_coco):
    edit(tiny_coco, "captions_val2017", lambda d: d["annotations"][3].update(caption=""))
    message = r"captions_val2017.json: entry 6003 of image 6: empty caption; 1 of 45 captions"
    with pytest.raises(SemtokError, match=message):
        build(tiny_coco, replace(SETTINGS, rejected_share=0.02))


def test_a_damaged_file_is_named(tiny_coco):
    edit(tiny_coco, "captions_train2017", lambda d: d["images"][1].pop("width"))
    with pytest.raises(SemtokError, match=r"captions_train2017.json: images\[1\].width: missing"):
        build(tiny_coco)


def test_the_same_root_gives_the_same_bytes(tiny_coco):
    (tiny_coco / "train2017/000000000001.jpg").unlink()
    folder = build(tiny_coco).folder
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    folder = build(tiny_coco).folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_progress_ends_at_the_number_of_images(tiny_coco):
    events: list[Event] = []
    build(tiny_coco, emit=events.append)
    assert (events[-1].done, events[-1].total) == (9, 9)


@pytest.mark.parametrize("karpathy", [False, True])
def test_images_of_novel2017_are_novel_whatever_else_is_said(tiny_coco, karpathy):
    before = build(tiny_coco).splits
    (tiny_coco / "novel2017").mkdir()
    shutil.copy(tiny_coco / "train2017/000000000001.jpg", tiny_coco / "novel2017/new.jpg")
    document = json.loads((tiny_coco / "annotations/captions_train2017.json").read_text())
    (listed,) = (each for each in document["images"] if each["id"] == 1)
    new = {
        "images": [listed | {"id": 500, "file_name": "new.jpg"}],
        "annotations": [{"id": 500_000, "image_id": 500, "caption": "a red dog"}],
    }
    (tiny_coco / "annotations/captions_novel2017.json").write_text(json.dumps(new))
    if karpathy:  # all that is in neither list is train
        for name in ("val", "test"):
            (tiny_coco / f"annotations/coco_karpathy_{name}.json").write_text("[]")
        before = dict.fromkeys(before, "train")
    found = build(tiny_coco)
    assert found.splits == before | {500: "novel"}
    assert {"novel2017/new.jpg", "annotations/captions_novel2017.json"} <= set(
        files.list_files(tiny_coco)["path"].to_pylist()
    )


def true(root: Path, *pairs: object) -> None:
    text = json.dumps({"pairs": pairs})
    (root / "annotations/truth_val2017.json").write_text(text)


def test_truth_stays_among_what_is_kept_and_within_a_split(tiny_coco):
    splits = build(tiny_coco).splits
    assert build(tiny_coco).truth == []
    val, test = (next(i for i in splits if splits[i] == name) for name in ("val", "test"))
    also = next(i for i in splits if splits[i] == "val" and i != val)
    kept = [[1000 * val, val], [1000 * val, also], [1000 * test, test]]
    gone = [[1000 * val, test], [1000 * val, 9_999], [5, val], [1000 * val, 1]]
    true(tiny_coco, *kept[::-1], *gone, kept[0])
    assert build(tiny_coco).truth == sorted(map(tuple, kept))
    assert "annotations/truth_val2017.json" in files.list_files(tiny_coco)["path"].to_pylist()


@pytest.mark.parametrize("row", [[1], [1, 2, 3], [1, "2"], [1, True], [1, 2**63], {"a": 1}, 7])
def test_a_broken_row_of_truth_is_named(tiny_coco, row):
    true(tiny_coco, [1000, 1], row)
    with pytest.raises(SemtokError, match=r"truth_val2017.json: pairs\[1\]: .* is not 2 integers"):
        build(tiny_coco)


def relate(root: Path, *pairs: tuple[int, int]) -> None:
    rows = [
        {
            "first_image_id": first,
            "second_image_id": second,
            "kind": "roles",
            "first_caption": f"{first} on {second}",
            "second_caption": f"{second} on {first}",
        }
        for first, second in pairs
    ]
    (root / "annotations/siblings_val2017.json").write_text(json.dumps({"pairs": rows}))


def test_siblings_fall_into_the_split_of_the_first(tiny_coco):
    alone = build(tiny_coco)
    assert alone.siblings == []
    held_out = [image for image, split in alone.splits.items() if split != "train"]
    val, test = (next(i for i in held_out if alone.splits[i] == s) for s in ("val", "test"))
    relate(tiny_coco, (val, test))
    found = build(tiny_coco)
    assert found.splits == alone.splits | {test: "val"}
    (row,) = found.siblings
    assert (row["first_image_id"], row["second_image_id"], row["kind"]) == (val, test, "roles")
    relate(tiny_coco, (test, val))
    assert build(tiny_coco).splits == found.splits


@given(data=st.data())
def test_whom_pairs_join_through_others_share_the_split_of_the_smallest(data):
    """Against the components that scipy finds."""
    ids = data.draw(st.lists(st.integers(-9, 99), min_size=2, max_size=12, unique=True))
    some = st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=12)
    pairs = data.draw(some)
    ends = np.array([[ids.index(each) for each in pair] for pair in pairs], int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), ends), shape=(len(ids), len(ids)))
    _, part_of = connected_components(graph, directed=False)
    whole = {part: min(np.array(ids)[part_of == part].tolist()) for part in part_of.tolist()}
    siblings = pl.DataFrame(
        pairs, schema={"first_image_id": pl.Int64, "second_image_id": pl.Int64}, orient="row"
    )
    images = pl.DataFrame({"image_id": ids, "folder": "val2017"})
    found = coco_listing.splits(Path("no root"), images, siblings)
    assert found.to_list() == [half(whole[part]) for part in part_of.tolist()]


def test_chains_of_siblings_stay_together(tiny_coco):
    """The gate says that an image has one sibling at most; none is left out before it looks."""
    held_out = sorted(i for i, split in build(tiny_coco).splits.items() if split != "train")
    chain = list(pairwise(held_out))
    relate(tiny_coco, *chain[::-1])
    found = build(tiny_coco)
    assert {found.splits[each] for each in held_out} == {half(held_out[0])}
    assert [(r["first_image_id"], r["second_image_id"]) for r in found.siblings] == chain


def test_siblings_of_different_splits_or_unknown_images_are_dropped(tiny_coco):
    held_out = [i for i, split in build(tiny_coco).splits.items() if split != "train"]
    relate(tiny_coco, (1, held_out[0]), (held_out[1], 999))
    assert build(tiny_coco).siblings == []


def test_a_broken_pair_of_siblings_is_named(tiny_coco):
    relate(tiny_coco, (1, "2"))
    with pytest.raises(
        SemtokError, match=r"siblings_val2017.json: pairs\[0\].second_image_id: '2'"
    ):
        build(tiny_coco)


def test_official_files_of_benchmarks_are_copied_as_they_are(tiny_coco):
    for name in ("sugar_crepe/add_att.json", "winoground/examples.jsonl"):
        (tiny_coco / name).parent.mkdir()
        (tiny_coco / name).write_text(f"rows of {name}")
    (tiny_coco / "sugar_crepe/notes.txt").write_text("")
    (tiny_coco / "train2017/notes.json").write_text("")
    (tiny_coco / "lvis").mkdir()
    (tiny_coco / "lvis/lvis_v1_train.json").write_text("")
    folder = build(tiny_coco).folder / "benchmarks"
    found = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.*")}
    assert found == {
        name: f"rows of {name}"
        for name in ("sugar_crepe/add_att.json", "winoground/examples.jsonl")
    }
