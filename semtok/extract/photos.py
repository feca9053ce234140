"""Image files -> pixels, as the extractors see them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.errors import UnreadableImageError
from semtok.remote import AnyPath


def read_image(path: AnyPath, size: int | None = None) -> NDArray[np.uint8]:
    """Decode an image: [H, W, 3] RGB, stretched to [S, S, 3] where a `size` is given.

    Raises:
        UnreadableImageError: it cannot be decoded.
    """
    data = content(path)
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(data, flags) if len(data) else None
    if pixels is None:
        raise UnreadableImageError(str(path), "not a readable image", "run the images stage again")
    if size is not None and pixels.shape[:2] != (size, size):
        pixels = stretch(np.asarray(pixels, np.uint8), size)
    return np.asarray(pixels, np.uint8)


def stretch(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize an image to a square by area, [H, W, C] -> [S, S, C].

    A side that grows while the other shrinks is interpolated afterwards: given both at once, OpenCV
    interpolates along both, and what is shrunk aliases.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < size < max(height, width):
        within = (min(width, size), min(height, size))
        shrunk = cv2.resize(pixels, within, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR))
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA))


def content(path: AnyPath) -> NDArray[np.uint8]:
    """The bytes of a file, none where there is no file: [N]."""
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return np.empty(0, np.uint8)
