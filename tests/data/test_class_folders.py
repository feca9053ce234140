"""Class folders: imagenette's layout and tiny-imagenet's, sound and broken."""

import codecs
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semtok.data import class_folders, files, indexing
from semtok.data.halves import half
from semtok.data.index import CAPTIONS, IMAGES, SPLITS
from semtok.errors import SemtokError
from semtok.params import DataSettings
from semtok.tables import REJECTED, read_table


def write_folders(root: Path, counts: dict[str, int], suffix: str = "jpg") -> None:
    """So many pictures in each folder, no two alike."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            path = root / folder / f"picture_{number}.{suffix}"
            random = np.random.default_rng([*path.relative_to(root).as_posix().encode()])
            Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8)).save(path)


@pytest.fixture
def imagenette(tmp_path) -> Path:
    root = tmp_path / "root"
    write_folders(root, {"train/n2": 4, "train/n1": 3, "val/n1": 8, "val/n2": 5})
    return root


@pytest.fixture
def tiny_imagenet(tmp_path) -> Path:
    root = tmp_path / "root"
    folders = {"train/n07/images": 2, "train/n10/images": 2, "train/n9/images": 2}
    write_folders(root, {**folders, "val/images": 6, "test/images": 3}, "JPEG")
    labels = ["n10", "n9", "n07", "n07", "n9", "n10"]
    lines = [f"picture_{n}.JPEG\t{label}\t0\t0\t5\t5\n" for n, label in enumerate(labels)]
    (root / "val/val_annotations.txt").write_text("".join(lines))
    words = "n07\tcrane\nn08\tunused\nn10\tcrane, a bird\nn9\tox, oxen\n"
    (root / "words.txt").write_text(words)
    (root / "wnids.txt").write_text("n07\nn10\nn9\n")
    return root


def index(root: Path, target: Path, share: float = 0.0, **settings: object) -> dict:
    """Build the index; its tables as rows, and the classes."""
    data = DataSettings("own", "class_folders", ".", 2, share, {"class_folders": settings})
    indexing.build(root, files.list_files(root, layout="class_folders"), data, target)
    schemas = {"images": IMAGES, "captions": CAPTIONS, "splits": SPLITS, "rejected": REJECTED}
    tables = {
        name: read_table(target / f"{name}.parquet", schema).to_pylist()
        for name, schema in schemas.items()
    }
    return tables | {
        "classes": json.loads((target / f"benchmarks/{class_folders.CLASSES}").read_text())
    }


def by_path(found: dict) -> dict[str, tuple[str, str]]:
    """Path -> class and split."""
    captions = {row["image_id"]: row["caption"] for row in found["captions"]}
    splits = {row["image_id"]: row["split"] for row in found["splits"]}
    return {
        row["path"]: (captions[row["image_id"]], splits[row["image_id"]]) for row in found["images"]
    }


def test_the_caption_of_an_image_is_its_folder(imagenette, tmp_path) -> None:
    found = index(imagenette, tmp_path / "index")
    classes = by_path(found)
    assert len(classes) == 20
    for path, (name, split) in classes.items():
        folder, own, _ = path.split("/")
        assert name == own
        assert split in (("train",) if folder == "train" else ("val", "test"))
    ids = {row["path"]: row["image_id"] for row in found["images"]}
    assert all(half(ids[path]) == split for path, (_, split) in classes.items() if split != "train")
    assert {split for _, split in classes.values()} == {"train", "val", "test"}
    assert found["classes"] == {"classes": ["n1", "n2"], "ordered": False}


def test_further_images_change_no_other(imagenette, tmp_path) -> None:
    before = index(imagenette, tmp_path / "before")
    write_folders(imagenette, {"train/n3": 2, "val/n3": 2})
    after = index(imagenette, tmp_path / "after")
    ids = {row["path"]: row["image_id"] for row in after["images"]}
    assert {row["path"]: row["image_id"] for row in before["images"]}.items() <= ids.items()
    assert len(set(ids.values())) == len(ids) == 24
    assert by_path(before).items() <= by_path(after).items()


def test_a_folder_test_keeps_val_whole(imagenette, tmp_path) -> None:
    write_folders(imagenette, {"test/n1": 2})
    found = by_path(index(imagenette, tmp_path / "index"))
    assert {path.split("/")[0] == split for path, (_, split) in found.items()} == {True}


def test_the_layout_of_tiny_imagenet(tiny_imagenet, tmp_path) -> None:
    found = index(tiny_imagenet, tmp_path / "index")
    classes = by_path(found)
    # Two share a first name: each is called by all that it has.
    assert found["classes"]["classes"] == ["crane", "crane, a bird", "ox"]
    assert classes["val/images/picture_4.JPEG"][0] == "ox"
    assert classes["train/n10/images/picture_1.JPEG"] == ("crane, a bird", "train")
    assert not [path for path in classes if path.startswith("test")]
    listed = files.list_files(tiny_imagenet, layout="class_folders")["path"].to_pylist()
    assert {"words.txt", "val/val_annotations.txt"} <= set(listed)


@pytest.mark.parametrize(
    ("names", "order"),
    [(["10", "9", "0"], ["0", "9", "10"]), (["mild", "severe"], ["mild", "severe"])],
)
def test_grades_are_ordered_by_number_or_by_name(tmp_path, names, order) -> None:
    root = tmp_path / "root"
    write_folders(root, {f"{folder}/{name}": 2 for folder in ("train", "val") for name in names})
    found = index(root, tmp_path / "index", ordered=True)
    assert found["classes"] == {"classes": order, "ordered": True}


def test_an_unreadable_image_is_set_aside(imagenette, tmp_path) -> None:
    (imagenette / "train/n1/picture_0.jpg").write_bytes(b"no picture")
    found = index(imagenette, tmp_path / "index", share=0.1)
    assert "train/n1/picture_0.jpg" not in by_path(found)
    image, _caption = sorted(found["rejected"], key=lambda row: row["source_id"] is not None)
    assert image["file"] == "train/n1/picture_0.jpg"
    assert image["reason"].startswith("unreadable")
    with pytest.raises(SemtokError, match=r"picture_0\.jpg.*unreadable.*1 of 20 images"):
        index(imagenette, tmp_path / "strict")


def test_a_picture_of_another_format_is_set_aside(imagenette, tmp_path) -> None:
    before = by_path(index(imagenette, tmp_path / "before"))
    Image.new("RGB", (4, 4)).save(imagenette / "val/n2/other.WebP")
    (imagenette / "val/n2/n2_boxes.txt").write_text("no picture, and no input\n")
    found = index(imagenette, tmp_path / "index", share=0.1)
    assert by_path(found) == before
    image, _caption = sorted(found["rejected"], key=lambda row: row["source_id"] is not None)
    assert image["file"] == "val/n2/other.WebP"
    assert image["reason"] == "read are .jpg, .jpeg, .png alone: convert it, or take it out"


def test_hidden_folders_and_files_are_passed_over(imagenette, tmp_path) -> None:
    before = index(imagenette, tmp_path / "before")
    hidden = {"train/.ipynb_checkpoints": 1, "val/.cache": 1, "train/n1/.thumbnails": 1}
    write_folders(imagenette, hidden)
    (imagenette / "val/n1/._picture_0.jpg").write_bytes(b"no picture")
    listed = files.list_files(imagenette, layout="class_folders")["path"].to_pylist()
    assert not [path for path in listed if "/." in path]
    assert index(imagenette, tmp_path / "index") == before


def test_the_folder_of_a_class_may_be_a_link(imagenette, tmp_path) -> None:
    before = by_path(index(imagenette, tmp_path / "before"))
    (imagenette / "train/n1").rename(tmp_path / "elsewhere")
    (imagenette / "train/n1").symlink_to(tmp_path / "elsewhere")
    assert by_path(index(imagenette, tmp_path / "index")) == before


def test_links_below_a_class_are_followed(imagenette, tmp_path) -> None:
    before = by_path(index(imagenette, tmp_path / "before"))
    (tmp_path / "elsewhere").mkdir()
    for name in ("picture_0.jpg", "picture_1.jpg"):
        (imagenette / "train/n1" / name).rename(tmp_path / "elsewhere" / name)
    for link in ("more", "again"):  # to a folder twice: no circle
        (imagenette / "train/n1" / link).symlink_to(tmp_path / "elsewhere")
    found = by_path(index(imagenette, tmp_path / "index"))
    names = ("more/picture_0", "more/picture_1", "again/picture_0", "again/picture_1", "picture_2")
    ours = {f"train/n1/{name}.jpg": ("n1", "train") for name in names}
    assert {path: each for path, each in found.items() if path.startswith("train/n1/")} == ours
    others = {path: each for path, each in before.items() if not path.startswith("train/n1/")}
    assert others.items() <= found.items()


def test_links_in_a_circle_are_refused(imagenette, tmp_path) -> None:
    for here, there in (("x", "y"), ("y", "x")):
        (tmp_path / here).mkdir()
        (tmp_path / here / "on").symlink_to(tmp_path / there)
    (imagenette / "train/n1/more").symlink_to(tmp_path / "x")
    refused = r"train/n1/more/on/on: is a link to a folder that it lies in; take it out$"
    with pytest.raises(SemtokError, match=refused):
        files.list_files(imagenette, layout="class_folders")


def test_a_picture_without_a_line_is_set_aside(tiny_imagenet, tmp_path) -> None:
    before = by_path(index(tiny_imagenet, tmp_path / "before"))
    path = tiny_imagenet / "val/val_annotations.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:]))
    found = index(tiny_imagenet, tmp_path / "index", share=0.1)
    (rejected,) = found["rejected"]
    assert (rejected["file"], rejected["reason"]) == ("val/images/picture_0.JPEG", "no caption")
    del before["val/images/picture_0.JPEG"]
    assert by_path(found) == before
    with pytest.raises(
        SemtokError, match=r"picture_0\.JPEG: image \d+: no caption; 1 of 12 images"
    ):
        index(tiny_imagenet, tmp_path / "strict")


def test_blank_lines_name_no_picture(tiny_imagenet, tmp_path) -> None:
    before = index(tiny_imagenet, tmp_path / "before")
    path = tiny_imagenet / "val/val_annotations.txt"
    path.write_text("\n" + path.read_text() + "  \n\n")
    assert index(tiny_imagenet, tmp_path / "index") == before


@pytest.mark.parametrize(
    ("words", "classes"),
    [
        ({"a": "x", "b": "x", "c": "a"}, ["a", "b", "c"]),
        ({"a": "y, z", "b": ", of no name"}, ["y", "b", "c"]),
        ({"a": "b", "b": "a"}, ["b", "a", "c"]),
        ({"a": "x, 1", "b": "x, 2", "c": "x, 1"}, ["a", "x, 2", "c"]),
    ],
)
def test_no_two_classes_are_called_alike(tmp_path, words, classes) -> None:
    root = tmp_path / "root"
    write_folders(root, {f"{folder}/{name}": 2 for folder in ("train", "val") for name in "abc"})
    lines = [f"{folder}\t{name}\n" for folder, name in words.items()]
    # As some editors save it, with a mark before the first line.
    (root / "words.txt").write_bytes(codecs.BOM_UTF8 + "".join(lines).encode())
    assert index(root, tmp_path / "index")["classes"]["classes"] == classes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: write_folders(root, {"val/n3": 1}),
            r"val/n3: no class of train; add train/n3 or take",
        ),
        (
            lambda root: write_folders(root, {"test/N1": 1}),
            r"test/N1: no class of train; add train/N1 or take",
        ),
        (
            lambda root: write_folders(root, {"train/n3": 2}, "webp"),
            r"train/n3: holds no image; add some",
        ),
        (
            lambda root: (root / "words.txt").write_bytes("n1\tBär\n".encode("latin-1")),
            r"words\.txt: is not UTF-8; save it as UTF-8$",
        ),
        (
            lambda root: (root / "val/val_annotations.txt").write_bytes(b"\xe4.jpg\tn1\n"),
            r"val_annotations\.txt: is not UTF-8; save it as UTF-8$",
        ),
        (
            lambda root: (root / "train/n1" / os.fsdecode(b"B\xe4r.jpg")).touch(),
            r"'train/n1/B\\udce4r\.jpg': the name is not UTF-8; rename it$",
        ),
        (lambda root: (root / "train/n3").mkdir(), r"train/n3: holds no image; add some"),
        (
            lambda root: (root / "val/val_annotations.txt").write_text("a.jpg\tn1\nb.jpg\tn7\n"),
            r"val_annotations\.txt: line 2: 'n7' is no class of train",
        ),
        (
            lambda root: (root / "train/n1").rename(root.parent / "n1"),
            r"train: holds 1 classes; make a folder for each",
        ),
    ],
)
def test_folders_that_do_not_fit_are_named(imagenette, tmp_path, change, message) -> None:
    change(imagenette)
    with pytest.raises(SemtokError, match=message):
        index(imagenette, tmp_path / "index")


def test_a_root_without_folders_is_named(tmp_path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(SemtokError, match=r"val: missing; data\.source must hold train/CLASS/"):
        class_folders.check_layout(tmp_path)


def test_an_unknown_setting_is_named(imagenette, tmp_path) -> None:
    with pytest.raises(SemtokError, match=r"data\.settings\.class_folders: order: unknown key"):
        index(imagenette, tmp_path / "index", order=True)
