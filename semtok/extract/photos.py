"""Image files -> what the extractors' own networks look at."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
        pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(pixels, np.uint8)


def content(path: AnyPath) -> NDArray[np.uint8]:
    """The bytes of a file, none where there is no file: [N]."""
    try:
        return np.frombuffer(path.read_bytes(), np.uint8)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return np.empty(0, np.uint8)


def to_tensor(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """B times [S, S, C] -> [B, C, S, S] float32, 0 to 1, as CPUs convolve it fastest."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return (stacked.float() / 255).contiguous(memory_format=torch.channels_last)
