"""The pixels inside boxes, resampled to k x k, all boxes of some images at once."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.tokens.rows import Int, UInt8


def crops(
    images: Sequence[UInt8], counts: Int, boxes: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Resample the content of boxes by exact area averaging, from integral images.

    An image is read as piecewise constant, so its integral up to any point is a bilinear
    interpolation of the integral image (Crow 1984), and a cell is a difference of four of them.

    Args:
        images: B times [S, S, C] uint8, S at most 2,900 (the sums must fit 32 bits).
        counts: [B] int64, boxes of each image; they sum to R.
        boxes: [R, 4] x, y, w, h relative to the image (0..1), w and h above 0.
        size: k, cells per side.

    Returns:
        [R, k, k, C] mean of each cell (0..255).
    """
    side, _, channels = images[0].shape
    corner, extent = boxes[:, :2, None] * side, boxes[:, 2:, None] * side
    edges = corner + extent * (np.arange(size + 1) / size)
    whole = np.minimum(edges.astype(np.int64), side - 1)
    part = edges - whole
    at = whole[:, 1, :, None] * (side + 1) + whole[:, 0, None, :]
    corners = np.empty((4, *at.shape, channels), np.int32)
    first = np.cumsum(counts) - counts
    for image, start, end in zip(images, first, first + counts, strict=True):
        integral = cv2.integral(image).reshape(-1, channels)
        for out, offset in zip(corners, (0, 1, side + 1, side + 2), strict=True):
            # "raise" would copy through a buffer; the corners are known to be inside.
            integral[offset:].take(at[start:end], axis=0, out=out[start:end], mode="clip")

    # Channels join the columns in one axis: numpy is slow where the last axis is short.
    upto, right, below, across = corners.reshape(4, len(boxes), size + 1, -1)
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
