"""Labelled scenes: the files keep what `scenes` wrote, and captions are classes, balanced."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from semtok.data import coco, files, indexing, scene_classes, scenes
from semtok.data.index import annotations, split_images
from semtok.errors import SemtokError
from semtok.params import DataSettings
from semtok.parsing import parse

SIZES = {"seed": 3, "size": 32, "train": 60, "val": 50}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("plain")
    scenes.write(root, scenes.Settings(**SIZES))
    return root


@pytest.fixture(scope="module", params=["largest", "count"])
def made(plain, request, tmp_path_factory) -> tuple[str, Path]:
    root = tmp_path_factory.mktemp("made") / request.param
    shutil.copytree(plain, root)
    scene_classes.relabel(root, request.param)
    return request.param, root


def read(root: Path, name: str) -> dict:
    return json.loads((root / "annotations" / name).read_text())


def label_of(kind: str, things: list[dict], kinds: dict[int, str]) -> str:
    if kind == "count":
        names = {**dict.fromkeys(range(4), "3 or fewer"), 4: "4", 5: "5", 6: "6"}
        return names.get(len(things), "7 or more")
    largest = max(each["area"] for each in things)
    first = next(each for each in things if each["area"] == largest)
    found = kinds[first["category_id"]]
    return found if found in ("figure", "animal", "vehicle") else "object"


@pytest.mark.parametrize("folder", ["train2017", "val2017"])
def test_captions_are_classes_and_all_else_stays(plain, made, folder) -> None:
    kind, root = made
    document, before = read(root, f"captions_{folder}.json"), read(plain, f"captions_{folder}.json")
    instances = read(plain, f"instances_{folder}.json")
    kinds = {each["id"]: each["supercategory"] for each in instances["categories"]}
    things: dict[int, list[dict]] = {}
    for each in instances["annotations"]:
        things.setdefault(each["image_id"], []).append(each)
    wanted = {image_id: label_of(kind, own, kinds) for image_id, own in things.items()}

    found = {each["image_id"]: each["caption"] for each in document["annotations"]}
    assert found == {image_id: wanted[image_id] for image_id in found}
    counts = Counter(wanted.values())
    classes = json.loads((root / "classification/classes.json").read_text())
    assert set(classes["classes"]) == set(counts)
    assert classes["ordered"] == (kind == "count")
    assert set(Counter(found.values()).values()) == {min(counts.values())}
    for name in counts:
        ids = [image_id for image_id in sorted(found) if found[image_id] == name]
        assert ids == [each for each in sorted(wanted) if wanted[each] == name][: len(ids)]

    names = {each["id"]: each["file_name"] for each in before["images"]}
    assert {each["id"]: each["file_name"] for each in document["images"]} == {
        image_id: names[image_id] for image_id in found
    }
    assert {each.name for each in (root / folder).iterdir()} == {names[each] for each in found}
    for image_id in found:
        name = f"{folder}/{names[image_id]}"
        assert (root / name).read_bytes() == (plain / name).read_bytes()
    for name in (f"instances_{folder}", f"panoptic_{folder}", "psg"):
        assert read(root, f"{name}.json") == read(plain, f"{name}.json")


def test_nothing_speaks_of_the_captions_that_are_gone(made) -> None:
    left = {path.relative_to(made[1]).parts[0] for path in coco.list_files(made[1])}
    assert left == {"annotations", "train2017", "val2017", "classification"}
    assert not list(made[1].glob("annotations/truth_*"))


def test_the_index_holds_the_classes(made, tmp_path) -> None:
    kind, root = made
    settings = DataSettings("labelled", "scene_classes", ".", 2, 0.0)
    indexing.build(root, files.list_files(root), settings, tmp_path)
    assert json.loads((tmp_path / "benchmarks/classification/classes.json").read_text())
    known = annotations(tmp_path)
    classes = set(known.captions["caption"].to_pylist())
    assert len(classes) == (5 if kind == "count" else 4)
    counts = {split: split_images(tmp_path, split).num_rows for split in ("train", "val", "test")}
    assert all(counts.values())
    assert sum(counts.values()) == known.captions.num_rows


def test_a_class_without_a_picture_is_no_data_set(tmp_path) -> None:
    settings = scene_classes.Settings(seed=0, size=32, train=3, val=3)
    with pytest.raises(SemtokError, match="a class has no picture in train2017; draw more"):
        scene_classes.write(tmp_path / "root", settings)


def test_settings_are_those_of_scenes_and_a_label() -> None:
    with pytest.raises(SemtokError, match="label: input should be 'largest' or 'count'"):
        parse(scene_classes.Settings, {**SIZES, "label": "colour"}, "params.yaml")
