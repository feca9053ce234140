"""Small pictures of images and of what an extraction found in them, as `data:` addresses."""

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.extract.extracted import in_order
from semtok.extract.masks import MASKS
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.remote import AnyPath
from semtok.report import overlay

#: Pixels of a picture's longer side, and the quality of its JPEG, 0..100: together some 6 kB.
_SIDE = 176
_QUALITY = 80


@dataclass(frozen=True)
class Thumbnail:
    """A picture for a page.

    Attributes:
        address: the JPEG itself, as a `data:` address.
        width, height: pixels.
        alt: what is in it, as far as it is known.
        relations: `SUBJECT PREDICATE OBJECT`, the strongest of what was found.
    """

    address: str
    width: int
    height: int
    alt: str
    relations: tuple[str, ...] = ()


def plain(paths: Mapping[int, AnyPath]) -> dict[int, Thumbnail]:
    """The images as they are.

    Args:
        paths: image id -> its file.

    Raises:
        SemtokError: an image cannot be read.
    """
    return {
        image_id: _thumbnail(overlay.read(path, _SIDE), f"image {image_id}, without masks")
        for image_id, path in paths.items()
    }


def overlaid(paths: Mapping[int, AnyPath], masks: Path, scene_graphs: Path) -> dict[int, Thumbnail]:
    """The images under their masks.

    Args:
        paths: image id -> its file.
        masks, scene_graphs: artifacts of one partition that has these images.

    Raises:
        SemtokError: an image cannot be read.
    """
    found = _by_image(in_order(masks, MASKS), paths)
    graphs = _by_image(in_order(scene_graphs, SCENE_GRAPHS), paths)
    pictures = {}
    for image_id, path in paths.items():
        rows = found.get(image_id, [])
        names = {row["mask_id"]: row["category"] for row in rows}
        painted, _ = overlay.paint(overlay.read(path, _SIDE), overlay.largest_first(rows))
        pictures[image_id] = _thumbnail(
            painted,
            f"masks of image {image_id}: {', '.join(names.values()) or 'none'}",
            tuple(
                f"{names[each['subject']]} {each['predicate']} {names[each['object']]}"
                for each in overlay.strongest(graphs.get(image_id, []))
            ),
        )
    return pictures


def _by_image(table: pa.Table, image_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    rows = table.filter(pc.is_in(table["image_id"], pa.array(sorted(image_ids), pa.int64())))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["image_id"], []).append(row)
    return found


def _thumbnail(
    image: npt.NDArray[np.uint8], alt: str, relations: tuple[str, ...] = ()
) -> Thumbnail:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    text = base64.b64encode(encoded.tobytes()).decode("ascii")
    height, width = image.shape[:2]
    return Thumbnail(f"data:image/jpeg;base64,{text}", width, height, alt, relations)
