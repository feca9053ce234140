"""Folders of images and of masks of what is salient."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semtok.data import salient
from semtok.errors import SemtokError


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def mask() -> np.ndarray:
    """Black, but for a bright rectangle with a dark grey border."""
    pixels = np.zeros((6, 8), np.uint8)
    pixels[1:4, 2:6] = 1
    pixels[2:3, 3:5] = 255
    return pixels


@pytest.mark.parametrize("layout", salient.LAYOUTS)
def test_layouts_are_read_by_the_names_of_their_folders(tmp_path, mask, layout) -> None:
    images, masks = salient.LAYOUTS[layout]
    for name in ("b", "a"):
        save(tmp_path / images / f"{name}.jpg", np.zeros((6, 8, 3), np.uint8))
        save(tmp_path / masks / f"{name}.png", mask)
    (tmp_path / images / "Thumbs.db").write_text("")
    found = salient.find(tmp_path)
    assert [each.image.name for each in found] == ["a.jpg", "b.jpg"]
    assert [each.mask.name for each in found] == ["a.png", "b.png"]
    assert (salient.salient(found[0]) == (mask > 0)).all()


def test_of_two_folders_what_both_have_is_paired(tmp_path, mask) -> None:
    for name in ("a", "b"):
        save(tmp_path / "shown" / f"{name}.jpg", np.zeros((6, 8, 3), np.uint8))
    for name in ("b", "c"):
        save(tmp_path / f"told/{name}.png", mask)
    assert [each.image.stem for each in salient.pair(tmp_path / "shown", tmp_path / "told")] == [
        "b"
    ]


def test_of_one_folder_photographs_are_paired_with_pngs(tmp_path, mask) -> None:
    for name in ("b", "a"):
        save(tmp_path / f"{name}.png", mask)
        save(tmp_path / f"{name}.jpg", np.zeros((6, 8, 3), np.uint8))
    found = salient.pair(tmp_path, tmp_path)
    assert [(each.image.name, each.mask.name) for each in found] == [
        ("a.jpg", "a.png"),
        ("b.jpg", "b.png"),
    ]


@pytest.mark.parametrize("folder", ["shown", "told"])
def test_two_files_of_one_name_are_refused(tmp_path, mask, folder) -> None:
    for name in ("shown/a.jpg", "told/a.png"):
        save(tmp_path / name, mask)
    save(tmp_path / folder / "a.bmp", mask)
    first = "a.bmp and a.jpg" if folder == "shown" else "a.bmp and a.png"
    with pytest.raises(SemtokError, match=rf"{folder}: {first} have one name; take one"):
        salient.pair(tmp_path / "shown", tmp_path / "told")


def test_what_cannot_be_asked_is_refused(tmp_path, mask, monkeypatch) -> None:
    with pytest.raises(SemtokError, match=r"holds no images with masks \(ECSSD has images and gro"):
        salient.find(tmp_path)
    save(tmp_path / "images/a.jpg", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(
        SemtokError, match=r"ground_truth_mask: holds no mask of an image of .*images; "
    ):
        salient.pair(tmp_path / "images", tmp_path / "ground_truth_mask")
    save(tmp_path / "ground_truth_mask/b.png", mask)
    save(tmp_path / "images/c.jpg", np.zeros((6, 8, 3), np.uint8))
    save(tmp_path / "ground_truth_mask/c.png", mask)
    with pytest.raises(SemtokError, match=r"ground_truth_mask: b: no such image in images; rest"):
        salient.find(tmp_path)
    (tmp_path / "images/c.jpg").unlink()
    (tmp_path / "ground_truth_mask/c.png").unlink()
    (tmp_path / "ground_truth_mask/b.png").rename(tmp_path / "ground_truth_mask/a.png")
    (each,) = salient.find(tmp_path)
    for pixels, told in (
        (mask[:, 1:], "is 7 x 6 pixels, its image 8 x 6; replace it"),
        (0 * mask, "is all black; remove it, as nothing can be asked of it"),
    ):
        save(each.mask, pixels)
        with pytest.raises(SemtokError, match=re.escape(f"{each.mask}: {told}")):
            salient.salient(each)
    save(each.mask, mask)
    with monkeypatch.context() as patched:
        patched.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # more than twice as many are refused
        with pytest.raises(SemtokError, match=r"a\.jpg: unreadable image \(.*decompression bomb"):
            salient.salient(each)
    each.mask.write_bytes(b"no picture")
    with pytest.raises(SemtokError, match=r"a\.png: unreadable image \(.*\); replace or"):
        salient.salient(each)
