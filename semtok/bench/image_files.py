"""The images of a split as files, for models that read whole images and no tokens."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semtok.data import index
from semtok.errors import SemtokError
from semtok.remote import AnyPath, readable

if TYPE_CHECKING:
    from PIL import Image


class ImageFiles:
    """The images of a split, in the order of their ids.

    Attributes:
        folder: the data root.
        image_ids: [I] int64.
        paths: I of them, relative to the folder.
    """

    def __init__(self, root: AnyPath, indexed: Path, split: str) -> None:
        """List them.

        Args:
            root: the data root.
            indexed: the artifact of `index`, which has set unreadable images aside.
            split: train, val, test or novel.
        """
        images = index.split_images(indexed, split)
        self.folder = root
        self.image_ids = images["image_id"].to_numpy().astype(np.int64)
        self.paths: list[str] = images["path"].to_pylist()

    def __len__(self) -> int:
        """The number of images."""
        return len(self.image_ids)


def opened(path: AnyPath) -> "Image.Image":
    """An image file as stored, in RGB.

    Raises:
        SemtokError: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(readable(path)) as image:
            return image.convert("RGB")
    except OSError as error:
        raise SemtokError(f"{path}: unreadable image ({error}); replace or remove it") from None
