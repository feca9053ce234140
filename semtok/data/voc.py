"""Pascal VOC's layout: JPEGImages, and a file of boxes for each image in Annotations."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from semtok.errors import SemtokError


@dataclass(frozen=True)
class BoxedImage:
    """An image and the boxes of all its objects, difficult ones too.

    Attributes:
        path: of the image.
        width, height: in pixels.
        boxes: [G, 4] float64, left, top, right, bottom in pixels, from 0; VOC counts from 1, and
            its last pixel lies within.
    """

    path: Path
    width: int
    height: int
    boxes: NDArray[np.float64]


def read(root: Path) -> list[BoxedImage]:
    """Read all annotated images of a VOC folder, by the names of their annotations.

    Args:
        root: with Annotations and JPEGImages.

    Raises:
        SemtokError: there are no annotations, one is damaged, or its image is missing.
    """
    files = sorted((root / "Annotations").glob("*.xml"))
    if not files:
        raise SemtokError(f"{root}: holds no Annotations/*.xml; name a folder in VOC's layout")
    return [_read(root, each) for each in files]


def _read(root: Path, file: Path) -> BoxedImage:
    name, size, boxes = parse(file)
    found = BoxedImage(root / "JPEGImages" / name, *size, boxes)
    if not found.path.is_file():
        raise SemtokError(f"{found.path}: missing, and {file.name} annotates it; restore it")
    return found


def parse(file: Path) -> tuple[str, tuple[int, int], NDArray[np.float64]]:
    """One file of Annotations: the name of its image, its width and height, and its boxes.

    Raises:
        SemtokError: it is damaged.
    """
    try:
        tree = ElementTree.parse(file).getroot()
        name, width, height = (
            str(tree.findtext(where)) for where in ("filename", "size/width", "size/height")
        )
        corners = [
            [float(str(each.findtext(f"bndbox/{side}"))) for side in _SIDES]
            for each in tree.iterfind("object")
        ]
        return name, (int(width), int(height)), np.array(corners).reshape(-1, 4) - [1, 1, 0, 0]
    except (ElementTree.ParseError, ValueError) as error:
        raise SemtokError(f"{file}: no annotation in VOC's format ({error}); replace it") from None


_SIDES = ("xmin", "ymin", "xmax", "ymax")
