"""Where the tokens of images are: a picture, and the token that each of its pixels belongs to."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from semtok.report.superpixels import rebuilt
from semtok.tokens.rows import Features, PixelRows, RelatedPixelRows, Rows, SuperpixelRows

#: No token: what lies between masks.
NOBODY = -1

#: Pixels a side of a picture that is put together from masks, and its grey where there is none.
_SIDE, _GREY = 128, 232

Image = npt.NDArray[np.uint8]
Owners = npt.NDArray[np.int64]


def placed(rows: Rows, patch_size: int | None) -> Iterator[tuple[Image, Owners]]:
    """Put the tokens of some images in their place. Intangible tokens have none.

    Args:
        rows: B images.
        patch_size: pixels a side of a patch, of a variant that cuts pixels into patches.

    Yields:
        Of each image RGB [S, S, 3], and [S, S] the position of each pixel's token, or `NOBODY`.
    """
    if isinstance(rows, PixelRows | RelatedPixelRows):
        assert patch_size is not None, "pixels are cut into patches"
        for pixels in rows.pixels:
            place = np.arange(len(pixels)) // patch_size
            yield pixels[..., :3], place[:, None] * (len(pixels) // patch_size) + place
        return
    ends = np.cumsum(rows.region_counts)
    for image, (count, end) in enumerate(zip(rows.region_counts, ends, strict=True)):
        own = slice(end - count, end)
        if isinstance(rows, SuperpixelRows):
            owners = rows.owners[image]
            yield rebuilt(owners, rows.features[own]), owners.astype(np.int64)
        else:
            yield _put_together(rows.features[own], rows.geometry[own])


def _put_together(features: Features, geometry: npt.NDArray[np.float32]) -> tuple[Image, Owners]:
    """Masked boxes over one another, the smallest masks on top."""
    canvas = np.full((_SIDE, _SIDE, 3), _GREY, np.uint8)
    owners = np.full((_SIDE, _SIDE), NOBODY, np.int64)
    for number in np.argsort(-geometry[:, 4], kind="stable").tolist():
        x, y, width, height = _SIDE * geometry[number, :4].astype(np.float64)
        left, top = max(0, round(x - width / 2)), max(0, round(y - height / 2))
        right, bottom = min(_SIDE, round(x + width / 2)), min(_SIDE, round(y + height / 2))
        size = (max(1, right - left), max(1, bottom - top))
        crop = _crop(features[number])
        box = cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR)
        inside = box[..., 3] >= 0.5
        place = slice(top, top + size[1]), slice(left, left + size[0])
        colours = 255 * box[..., :3] / np.maximum(box[..., 3:], 1e-6)
        canvas[place][inside] = colours[inside].clip(0, 255)
        owners[place][inside] = number
    return canvas, owners


def _crop(features: npt.NDArray[np.uint8] | npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """[k, k, 4] of 0..1, colours times coverage and coverage; of a backbone's numbers one grey."""
    if features.dtype == np.float16:
        return np.array([[[0.6, 0.6, 0.6, 1.0]]], np.float32)
    side = math.isqrt(len(features) // 4)
    return np.asarray(features.reshape(side, side, 4) / 255, np.float32)
