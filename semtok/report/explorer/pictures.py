"""The images themselves, as JPEGs beside a page or inside it."""

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from semtok.errors import UnreadableImageError
from semtok.remote import AnyPath
from semtok.report import overlay

#: Pixels of the longer side at most: what a person looks at, and what helps to find it.
_PICTURE, _THUMBNAIL = 512, 96

#: Quality of the JPEGs, 0..100.
_QUALITY = 85


@dataclass(frozen=True)
class Pictures:
    """Where pictures go.

    Attributes:
        folder: of the page, where they become files; None: they are `data:` addresses.
    """

    folder: Path | None

    def add(self, source: AnyPath, number: int) -> dict[str, str]:
        """Add an image, large and small.

        Args:
            source: its file.
            number: that no other image of the page has.

        Returns:
            The addresses `picture` and `thumbnail`; empty ones where it cannot be read.
        """
        try:
            picture = overlay.read(source)
        except UnreadableImageError:
            return {"picture": "", "thumbnail": ""}
        return {
            "picture": self._add(_at_most(picture, _PICTURE), f"pictures/{number}.jpg"),
            "thumbnail": self._add(_at_most(picture, _THUMBNAIL), f"thumbnails/{number}.jpg"),
        }

    def _add(self, picture: overlay.Image, name: str) -> str:
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if self.folder is None:
            text = base64.b64encode(encoded.tobytes()).decode("ascii")
            return f"data:image/jpeg;base64,{text}"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded.tobytes())
        return name


def _at_most(picture: overlay.Image, side: int) -> overlay.Image:
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
