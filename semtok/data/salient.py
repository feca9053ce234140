"""Folders of images and of masks of what is salient in them: ECSSD, DUTS-TE and DUT-OMRON."""

from collections.abc import Iterator, Mapping
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


@dataclass(frozen=True)
class SalientImage:
    """Files: an `image`, and the `mask` of what is salient in it."""

    image: Path
    mask: Path


def find(root: Path) -> list[SalientImage]:
    """The images of a folder that holds two, as one of `LAYOUTS` has them.

    Raises:
        SemtokError: it has another layout, or as `pair`.
    """
    for images, masks in LAYOUTS.values():
        if (root / images).is_dir() and (root / masks).is_dir():
            return pair(root / images, root / masks)
    known = "; ".join(f"{name} has {' and '.join(both)}" for name, both in LAYOUTS.items())
    raise SemtokError(f"{root}: holds no images with masks ({known}); or name both folders")


def pair(images: Path, masks: Path) -> list[SalientImage]:
    """The images that have masks of their names, ordered by name.

    Args:
        images: folder of images; those without a mask are left out.
        masks: folder of masks, of the same names, whatever their extensions.

    Raises:
        SemtokError: there are no masks, or one has no image.
    """
    shown, told = _by_name(images), _by_name(masks)
    if not told:
        raise SemtokError(f"{masks}: holds no masks; name the folder that does")
    if alone := sorted(set(told) - set(shown)):
        raise SemtokError(f"{told[alone[0]]}: no image of that name in {images}; restore it")
    return [SalientImage(shown[name], told[name]) for name in sorted(told)]


def salient(each: SalientImage) -> NDArray[np.bool_]:
    """Which pixels of an image are salient, [H, W]: those where its mask is not black.

    Raises:
        SemtokError: a file cannot be read, or the mask is not of its image's size, or all black.
    """
    with _opened(each.mask) as mask:
        found = np.asarray(mask.convert("L")) > 0
    with _opened(each.image) as image:
        size = image.size
    if found.shape[::-1] != size:
        raise SemtokError(
            f"{each.mask}: is {found.shape[1]} x {found.shape[0]} pixels, its image "
            f"{size[0]} x {size[1]}; replace it"
        )
    if not found.any():
        raise SemtokError(f"{each.mask}: is all black; remove it, as nothing can be asked of it")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except OSError as error:
        raise SemtokError(f"{path}: unreadable image ({error}); replace or remove it") from None


def _by_name(folder: Path) -> Mapping[str, Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    return {each.stem: each for each in files if each.suffix.lower() in _SUFFIXES}
