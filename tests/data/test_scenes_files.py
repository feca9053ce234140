"""The files of `scenes`, read by pycocotools as the independent judge."""

import contextlib
import hashlib
import io
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from semtok.data.scenes import Settings, write
from semtok.data.scenes.annotations import categories, rle
from semtok.data.scenes.compose import scene
from semtok.data.scenes.render import render
from semtok.data.scenes.siblings import pair
from semtok.errors import SemtokError
from semtok.events import Event, Progress
from semtok.parsing import parse

SETTINGS = Settings(seed=5, size=96, train=14, val=8)
SPLITS = ("train2017", "val2017")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write(folder, SETTINGS)
    return folder


def _json(root: Path, name: str) -> Any:
    return json.loads((root / "annotations" / name).read_text(encoding="utf-8"))


def _coco(root: Path, name: str) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(root / "annotations" / name))


def _segments(root: Path, split: str, image_id: int) -> np.ndarray:
    path = root / "annotations" / f"panoptic_{split}" / f"{image_id:012d}.png"
    bgr = cv2.imread(str(path)).astype(np.int64)
    return bgr[..., 2] + 256 * bgr[..., 1] + 65536 * bgr[..., 0]


def _digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_same_settings_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    write(tmp_path, SETTINGS)
    assert _digests(tmp_path) == _digests(root)


def test_an_image_depends_on_its_id_alone(root: Path, tmp_path: Path) -> None:
    write(tmp_path, Settings(seed=5, size=96, train=3, val=11))
    ours, theirs = _digests(root), _digests(tmp_path)
    shared = [name for name in ours.keys() & theirs.keys() if ".json" not in name]
    # Images and panoptic pictures; of val2017 a mask and boxes besides.
    assert len(shared) == 2 * (3 + 8) + 2 * 8
    assert all(ours[name] == theirs[name] for name in shared)
    for name in ("instances_train2017.json", "captions_train2017.json", "panoptic_train2017.json"):
        fewer = _json(tmp_path, name)["annotations"]
        assert fewer == _json(root, name)["annotations"][: len(fewer)]
    assert _json(tmp_path, "psg.json")["data"][:3] == _json(root, "psg.json")["data"][:3]


def test_another_seed_gives_other_pictures(root: Path, tmp_path: Path) -> None:
    write(tmp_path, Settings(seed=6, size=96, train=1, val=1))
    name = "train2017/000000000001.jpg"
    assert (tmp_path / name).read_bytes() != (root / name).read_bytes()


@pytest.mark.parametrize("size", [64, 128, 224])
def test_sizes(tmp_path: Path, size: int) -> None:
    write(tmp_path, Settings(seed=0, size=size, train=2, val=1))
    header = simplejpeg.decode_jpeg_header((tmp_path / "val2017/000000000002.jpg").read_bytes())
    assert header == (size, size, "YCbCr", "444")
    (image,) = _json(tmp_path, "instances_val2017.json")["images"]
    assert (image["height"], image["width"]) == (size, size)


def test_pictures_are_the_rendered_scenes(root: Path) -> None:
    siblings = pair(5, 0, 96)
    drawn = {
        "train2017/000000000001.jpg": render(scene(5, 1, 96))[0],
        "val2017/000000000002.jpg": siblings.first.image,
        "val2017/000000000004.jpg": siblings.second.image,
    }
    for name, image in drawn.items():
        shown = cv2.imread(str(root / name))[..., ::-1]
        assert np.abs(shown.astype(int) - image).mean() < 3


@cache
def _ids(split: str, image_id: int) -> np.ndarray:
    if split == "train2017":
        return render(scene(5, image_id, 96))[1]
    siblings = pair(5, (image_id - 2) // 4, 96)
    return (siblings.first if image_id % 4 == 2 else siblings.second).ids


@pytest.mark.parametrize("split", SPLITS)
def test_masks_are_the_exact_visible_pixels(root: Path, split: str) -> None:
    coco = _coco(root, f"instances_{split}.json")
    forms = set()
    for annotation in coco.anns.values():
        image_id = annotation["image_id"]
        ids = _ids(split, image_id)
        mask = coco.annToMask(annotation)
        encoded = coco.annToRLE(annotation)
        forms.add(type(annotation["segmentation"]["counts"]))
        assert np.array_equal(mask, _segments(root, split, image_id) == annotation["id"])
        assert len(np.unique(ids[mask == 1])) == 1
        assert mask.sum() == (ids == ids[mask == 1][0]).sum()
        assert coco_mask.area(encoded) == annotation["area"]
        assert coco_mask.toBbox(encoded).tolist() == annotation["bbox"]
    assert forms == {str, list}


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.booleans())
def test_rle_is_what_pycocotools_decodes(mask: np.ndarray, compressed: bool) -> None:
    encoded = rle(mask, compressed)
    if not compressed:
        encoded = coco_mask.frPyObjects(encoded, *mask.shape)
    assert np.array_equal(coco_mask.decode(encoded), mask)


@pytest.mark.parametrize("split", SPLITS)
def test_panoptic_equals_instances(root: Path, split: str) -> None:
    instances = _coco(root, f"instances_{split}.json").anns
    panoptic = _json(root, f"panoptic_{split}.json")
    isthing = {each["id"]: each["isthing"] for each in panoptic["categories"]}
    seen = set()
    for entry in panoptic["annotations"]:
        segments = _segments(root, split, entry["image_id"])
        listed = {info["id"]: info for info in entry["segments_info"]}
        assert set(np.unique(segments)) - {0} == set(listed)
        for number, info in listed.items():
            assert info["area"] == (segments == number).sum()
            if isthing[info["category_id"]]:
                seen.add(number)
                for key in ("category_id", "area", "bbox", "iscrowd"):
                    assert instances[number][key] == info[key]
    assert seen == set(instances)


@pytest.mark.parametrize("split", SPLITS)
def test_captions_are_five_an_image(root: Path, split: str) -> None:
    coco = _coco(root, f"captions_{split}.json")
    assert all(len(coco.getAnnIds(image_id)) == 5 for image_id in coco.getImgIds())
    assert all(annotation["caption"].strip() for annotation in coco.anns.values())


def test_ids_are_unique_and_the_splits_disjoint(root: Path) -> None:
    for kind in ("instances", "captions"):
        train, val = (_json(root, f"{kind}_{split}.json") for split in SPLITS)
        for key in ("images", "annotations"):
            ids = [each["id"] for document in (train, val) for each in document[key]]
            assert len(set(ids)) == len(ids)
    assert [each["id"] for each in categories()] == list(range(1, len(categories()) + 1))


def test_psg(root: Path) -> None:
    psg = _json(root, "psg.json")
    panoptic = {
        entry["image_id"]: (split, entry)
        for split in SPLITS
        for entry in _json(root, f"panoptic_{split}.json")["annotations"]
    }
    names = {each["id"]: each["name"] for each in categories()}
    classes = psg["thing_classes"] + psg["stuff_classes"]
    assert len(psg["data"]) == len(panoptic) == SETTINGS.train + SETTINGS.val
    used = set()
    for item in psg["data"]:
        split, entry = panoptic[int(item["image_id"])]
        assert item["file_name"] == f"{split}/{entry['file_name'][:-4]}.jpg"
        assert item["pan_seg_file_name"] == f"panoptic_{split}/{entry['file_name']}"
        assert (item["image_id"] in psg["test_image_ids"]) == (split == "val2017")
        assert len(item["segments_info"]) == len(item["annotations"]) == len(entry["segments_info"])
        for ours, box, theirs in zip(
            item["segments_info"], item["annotations"], entry["segments_info"], strict=True
        ):
            assert ours["id"] == theirs["id"]
            assert ours["area"] == theirs["area"]
            assert ours["category_id"] == box["category_id"] < len(classes)
            assert classes[ours["category_id"]] == names[theirs["category_id"]]
            assert ours["isthing"] == (ours["category_id"] < len(psg["thing_classes"]))
            x, y, w, h = theirs["bbox"]
            assert box["bbox"] == [x, y, x + w, y + h]
        for subject, obj, predicate in item["relations"]:
            assert subject != obj
            assert 0 <= min(subject, obj) <= max(subject, obj) < len(item["segments_info"])
            used.add(psg["predicate_classes"][predicate])
            assert item["segments_info"][subject]["isthing"]
    assert len(used) >= 8


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[Event] = []
    write(tmp_path, Settings(seed=0, size=32, train=2, val=1), told.append)
    assert told == [Progress("scenes", done, 3) for done in range(4)]


@pytest.mark.parametrize("field, value", [("size", 8), ("train", 0), ("val", 600_000)])
def test_settings_out_of_range_are_named(tmp_path: Path, field: str, value: int) -> None:
    settings = Settings(**({"seed": 0, "size": 64, "train": 1, "val": 1} | {field: value}))
    with pytest.raises(SemtokError, match=f"data.settings.scenes.{field}: {value} is out of range"):
        write(tmp_path / "root", settings)
    assert not (tmp_path / "root").exists()


def test_settings_parse() -> None:
    raw = {"seed": 0, "size": 128, "train": 2000, "val": 800}
    assert parse(Settings, raw, "data.settings.scenes") == Settings(0, 128, 2000, 800)
    with pytest.raises(SemtokError, match="sise: unknown key"):
        parse(Settings, raw | {"sise": 1}, "data.settings.scenes")


def test_the_package_is_light() -> None:
    code = (
        "import sys, semtok.data.scenes; sys.exit('cv2' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
