"""The pixels inside boxes, resampled to k x k, all boxes of an image at once."""

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.tokens.rows import UInt8


def crops(pixels: UInt8, boxes: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Resample the content of boxes by exact area averaging, from one integral image.

    The image is read as piecewise constant, so the integral up to any point is a bilinear
    interpolation of the integral image (Crow 1984), and a cell is a difference of four of them.

    Args:
        pixels: [S, S, C] uint8, S at most 2,900 (its sums must fit 32 bits).
        boxes: [R, 4] x, y, w, h relative to the image (0..1), w and h above 0.
        size: k, cells per side.

    Returns:
        [R, k, k, C] mean of each cell (0..255).
    """
    side, _, channels = pixels.shape
    corner, extent = boxes[:, :2, None] * side, boxes[:, 2:, None] * side
    edges = corner + extent * (np.arange(size + 1) / size)
    whole = np.minimum(edges.astype(np.int64), side - 1)
    part = edges - whole
    integral = cv2.integral(pixels).reshape(-1, channels)
    at = whole[:, 1, :, None] * (side + 1) + whole[:, 0, None, :]
    # Channels join the columns in one axis: numpy is slow where the last axis is short.
    joined = (len(boxes), size + 1, (size + 1) * channels)
    upto, right, below, across = (
        integral[offset:].take(at, axis=0).reshape(joined) for offset in (0, 1, side + 1, side + 2)
    )
    across += upto - right - below
    right -= upto
    below -= upto
    x, y = np.repeat(part[:, 0], channels, axis=1)[:, None], part[:, 1, :, None]
    filled = (across * x + below) * y
    filled += right * x
    filled += upto
    rows = filled[:, 1:] - filled[:, :-1]
    cells = rows[:, :, channels:] - rows[:, :, :-channels]
    cells *= (size**2 / extent.prod(axis=1))[:, :, None]
    return np.asarray(cells.reshape(len(boxes), size, size, channels))
