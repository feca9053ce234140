"""Folders of images and of masks of what is salient in them: ECSSD, DUTS-TE and DUT-OMRON."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semtok.errors import SemtokError

#: The folders of images and of masks, as each set comes.
LAYOUTS = {
    "ECSSD": ("images", "ground_truth_mask"),
    "DUTS-TE": ("DUTS-TE-Image", "DUTS-TE-Mask"),
    "DUT-OMRON": ("DUT-OMRON-image", "pixelwiseGT-new-PNG"),
}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
_OF_MASKS = ".png"  # beside images of the same name


@dataclass(frozen=True)
class SalientImage:
    """Files: an `image`, and the `mask` of what is salient in it."""

    image: Path
    mask: Path


def find(root: Path) -> list[SalientImage]:
    """The images of a folder that holds two, as one of `LAYOUTS` has them.

    Raises:
        SemtokError: it has another layout, a mask has no image, or as `pair`.
    """
    for images, masks in LAYOUTS.values():
        if (root / images).is_dir() and (root / masks).is_dir():
            found = pair(root / images, root / masks)
            alone = {each.stem for each in _images(root / masks)} - {
                each.image.stem for each in found
            }
            if alone:
                name = min(alone)
                raise SemtokError(f"{root / masks}: {name}: no such image in {images}; restore it")
            return found
    known = "; ".join(f"{name} has {' and '.join(both)}" for name, both in LAYOUTS.items())
    raise SemtokError(f"{root}: holds no images with masks ({known}); or name both folders")


def pair(images: Path, masks: Path) -> list[SalientImage]:
    """The images and masks of one name, ordered by it; others are left out.

    Args:
        images: folder of images.
        masks: folder of masks; extensions do not matter. Where it is the same one, as of MSRA10K,
            masks are its PNGs and images the other files.

    Raises:
        SemtokError: there are none, or a folder has two files of one name.
    """
    shown, told = _images(images), _images(masks)
    if images.resolve() == masks.resolve():
        shown = [each for each in shown if each.suffix.lower() != _OF_MASKS]
        told = [each for each in told if each.suffix.lower() == _OF_MASKS]
    mask_of = _by_name(told)
    found = [
        SalientImage(each, mask_of[name])
        for name, each in sorted(_by_name(shown).items())
        if name in mask_of
    ]
    if not found:
        raise SemtokError(f"{masks}: holds no mask of an image of {images}; name both folders")
    return found


def salient(each: SalientImage) -> NDArray[np.bool_]:
    """Which pixels of an image are salient, [H, W].

    Raises:
        SemtokError: as `read_mask`, or the image cannot be read.
    """
    with _opened(each.image) as image:
        size = image.size
    return read_mask(each.mask, size)


def read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask: [H, W], what is not black.

    Args:
        path: of the mask.
        size: width and height of its image in pixels.

    Raises:
        SemtokError: it cannot be read, is not of that size, or is all black.
    """
    with _opened(path) as mask:
        found = np.asarray(mask.convert("L")) > 0
    if found.shape[::-1] != size:
        raise SemtokError(
            f"{path}: is {found.shape[1]} x {found.shape[0]} pixels, its image "
            f"{size[0]} x {size[1]}; replace it"
        )
    if not found.any():
        raise SemtokError(f"{path}: is all black; remove it, as nothing can be asked of it")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, Image.DecompressionBombError) as error:
        raise SemtokError(f"{path}: unreadable image ({error}); replace or remove it") from None


def _by_name(files: list[Path]) -> dict[str, Path]:
    """The files of a folder by their names without extensions."""
    found: dict[str, Path] = {}
    for each in files:
        if other := found.get(each.stem):
            raise SemtokError(
                f"{each.parent}: {other.name} and {each.name} have one name; take one of them out"
            )
        found[each.stem] = each
    return found


def _images(folder: Path) -> list[Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else ()
    return [each for each in files if each.suffix.lower() in _SUFFIXES]
