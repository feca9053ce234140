"""A root in the layout of COCO 2014 beside its twin in that of 2017: the same images, other names.

Format from the spec: none of the originals can be had.
"""

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from semtok.checks import images as gate
from semtok.checks.subject import Subject
from semtok.cli import app
from semtok.data import coco, files, index
from semtok.errors import SemtokError
from semtok.tables import read_table, write_table
from tests.conftest import make_2014, write_tiny_coco
from tests.extract.conftest import Extraction

REPO = Path(__file__).parents[1]
FOLDERS = ("train2014", "val2014")
Row = dict[str, Any]


def twins(folder: Path, write: Any = write_tiny_coco) -> tuple[Extraction, Extraction]:
    """The same root in the layout of 2017 and in that of 2014."""
    found = tuple(Extraction(folder / year / "root", folder / year) for year in ("2017", "2014"))
    for each in found:
        write(each.root)
    make_2014(found[1].root)
    return found[0], found[1]


def indexed(extraction: Extraction) -> dict[str, list[Row]]:
    """The tables of its index."""
    _, folder = extraction.index()
    tables = {"images": index.IMAGES, "captions": index.CAPTIONS, "splits": index.SPLITS}
    return {
        name: read_table(folder / f"{name}.parquet", schema).to_pylist()
        for name, schema in tables.items()
    }


def renamed(rows: Iterable[Row], column: str) -> list[Row]:
    """Rows of 2014 as they would be of 2017."""
    return [
        {**row, column: re.sub(r"COCO_\w+2014_", "", row[column]).replace("2014", "2017")}
        for row in rows
    ]


def karpathy(root: Path, splits: Mapping[int, str], form: str) -> None:
    """Karpathy's file, or BLIP's lists of it, which name all images as 2014 does."""

    def name(image_id: int) -> str:
        return f"COCO_val2014_{image_id:012d}.jpg"

    if form == "lists":
        for split in ("val", "test"):
            ids = (each for each, where in splits.items() if where == split)
            rows = [{"image": f"val2014/{name(each)}", "caption": ["a"]} for each in ids]
            (root / f"annotations/coco_karpathy_{split}.json").write_text(json.dumps(rows))
    else:
        images = [
            {"cocoid": each, "filepath": "val2014", "filename": name(each), "split": split}
            for each, split in splits.items()
        ]
        (root / "annotations/dataset_coco.json").write_text(json.dumps({"images": images}))


def test_index_and_masks_are_those_of_2017(tmp_path):
    then, now = twins(tmp_path)
    expected, found = indexed(then), indexed(now)
    assert found["images"][0]["path"] == "train2014/COCO_train2014_000000000001.jpg"
    assert found | {"images": renamed(found["images"], "path")} == expected
    splits = {row["image_id"]: row["split"] for row in found["splits"]}
    assert splits == {
        **dict.fromkeys((1, 2, 3, 4, 5), "train"),
        **dict.fromkeys((6, 8), "val"),
        **dict.fromkeys((7, 10), "test"),
    }
    for split in ("train", "val", "test"):
        for each in (then, now):
            each.masks(split=split)
            each.scene_graphs(split=split)
        assert now.rows() == then.rows()
        assert len(now.rows()) >= 2
        assert now.rows("scene_graphs") == then.rows("scene_graphs")
        assert renamed(now.rejected(), "file") == then.rejected()


def test_index_and_masks_of_the_sample_are_those_of_2017(coco_sample, tmp_path):
    then, now = twins(tmp_path, lambda root: shutil.copytree(coco_sample, root))
    expected, found = indexed(then), indexed(now)
    assert len(found["images"]) == 347
    assert found | {"images": renamed(found["images"], "path")} == expected
    for each in (then, now):
        each.masks(split="val")
    assert now.rows() == then.rows()
    assert len(now.rows()) > 300


@pytest.mark.parametrize("form", ["file", "lists"])
def test_karpathys_splits_come_first(tmp_path, form):
    said = {**dict.fromkeys((1, 2, 3, 4, 5), "train"), 6: "restval", 7: "val", 8: "test", 10: "val"}
    both = twins(tmp_path)
    for each in both:
        karpathy(each.root, said, form)
    expected, found = map(indexed, both)
    assert found["splits"] == expected["splits"]
    splits = {row["image_id"]: row["split"] for row in found["splits"]}
    assert splits == said | {6: "train"}


def test_official_files_and_novel_images_are_found(tmp_path):
    _, now = twins(tmp_path)
    novel, val = now.root / "novel2014", "annotations/captions_val2014.json"
    shutil.copytree(now.root / "val2014", novel)
    document = json.loads((now.root / val).read_text())
    for row in document["images"] + document["annotations"]:
        row["id"] += 10**6
        row |= {"image_id": row["image_id"] + 10**6} if "image_id" in row else {}
    (now.root / val.replace("val", "novel")).write_text(json.dumps(document))
    (now.root / "sugar_crepe").mkdir()
    (now.root / "sugar_crepe/swap_obj.json").write_text("{}")
    (now.root / "train2014/notes.json").write_text("{}")
    splits = {row["image_id"]: row["split"] for row in indexed(now)["splits"]}
    assert {each for each, split in splits.items() if split == "novel"} == {
        10**6 + each for each in (6, 7, 8, 10)
    }
    copied = tmp_path / "2014/index/benchmarks"
    assert [path.name for path in copied.rglob("*.json")] == ["swap_obj.json"]


def test_of_both_editions_2017_is_read_and_check_says_so(tmp_path):
    then, now = twins(tmp_path)
    alone = files.list_files(then.root)
    assert coco.passed_over(now.root) == coco.passed_over(then.root) == []
    shutil.copytree(now.root, then.root, dirs_exist_ok=True)
    assert files.list_files(then.root).equals(alone)
    assert coco.passed_over(then.root) == list(FOLDERS)
    arguments = ["--project", str(REPO), "data", "check", "psg", "--root", str(then.root)]
    done = CliRunner().invoke(app, arguments)
    said = "not read: train2014, val2014; the other edition has the same images, and is there"
    assert done.stdout.splitlines()[-1] == said
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(done.stdout)["passed_over"] == list(FOLDERS)


@pytest.mark.parametrize(
    "missing", [*FOLDERS, *(f"annotations/captions_{x}.json" for x in FOLDERS)]
)
def test_half_a_root_is_refused_with_what_to_do(tmp_path, missing):
    _, now = twins(tmp_path)
    path = now.root / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    told = rf"/{missing}: missing; .* this one lacks "
    with pytest.raises(SemtokError, match=told) as caught:
        coco.check_layout(now.root)
    assert "\n" not in str(caught.value)


def test_the_whole_edition_is_read_where_the_other_is_begun(tmp_path):
    _, now = twins(tmp_path)
    (now.root / "val2017").mkdir()
    coco.check_layout(now.root)
    assert coco.folders(now.root) == list(FOLDERS)
    assert coco.passed_over(now.root) == ["val2017"]


@pytest.mark.parametrize("begun", [(), ("val2017",), ("val2014", "val2017")])
def test_a_root_of_neither_names_2017(tmp_path, begun):
    for folder in begun:
        (tmp_path / folder).mkdir()
    told = r"/train2017: missing; .* "
    told += (
        "lacks its folder" if begun else r"\(2017; 2014 where .* semtok data fetch coco --root /"
    )
    with pytest.raises(SemtokError, match=told) as caught:
        coco.check_layout(tmp_path)
    assert "\n" not in str(caught.value)


def test_panoptic_masks_are_refused(tmp_path):
    _, now = twins(tmp_path)
    now.use("panoptic", "psg")
    told = (
        r"annotations/panoptic_train2014.json: missing; COCO has panoptic annotations of 2017 alone"
    )
    with pytest.raises(SemtokError, match=told) as caught:
        now.masks()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("emptied", ["", "val2014"])
def test_the_gate_counts_the_images_of_each_folder(tmp_path, emptied):
    _, now = twins(tmp_path)
    if emptied:
        for path in (now.root / emptied).iterdir():
            path.unlink()
    write_table(tmp_path / "files.parquet", files.list_files(now.root), files.FILES)
    subject = Subject(tmp_path, "images", {}, {"data": {"format": "coco"}})
    counts = {"train2014": 5, "val2014": 4} | ({emptied: 0} if emptied else {})
    found = gate.summarise(subject)["folders"]
    assert dict(found.iter_rows()) == counts
