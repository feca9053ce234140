"""Images as their superpixels hold them, and values of superpixels as colours over them."""

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from semtok.report.style import picture
from semtok.tokens.rows import SuperpixelRows

_LOST = 232  # grey of what no token holds
_ZOOM = 3  # pixels a side of one image pixel, so that borders are thin

Image = npt.NDArray[np.uint8]


def draw(rows: SuperpixelRows, path: Path) -> None:
    """Draw what tokens hold, put back where it was, and where regions end.

    Args:
        rows: of at least one image.
        path: the `.png` file.
    """
    count = len(rows.image_ids)
    features = np.split(rows.features, np.cumsum(rows.region_counts)[:-1])
    with picture(path, 3.0 * count, 6.2) as figure:
        axes = figure.subplots(2, count, squeeze=False)
        for number, panels in enumerate(axes.T):
            image = rebuilt(rows.owners[number], features[number])
            panels[0].set_title(
                f"{rows.image_ids[number]}  ·  superpixels: {len(features[number])}"
            )
            for panel, shown in zip(
                panels, (image, outlined(image, rows.owners[number])), strict=True
            ):
                panel.imshow(shown)
                panel.set_axis_off()


def rebuilt(owners: npt.NDArray[np.uint16], features: Image) -> Image:
    """An image from its tokens: what each holds, resampled to its region.

    Args:
        owners: [S, S], the region of each pixel.
        features: [R, k*k*4] of `Superpixels`.

    Returns:
        RGB [S, S, 3]; light grey where a region is too thin for its token.
    """
    size = math.isqrt(features.shape[1] // 4)
    canvas = np.zeros((*owners.shape, 3), np.float32)
    for number, crop in enumerate(features.reshape(-1, size, size, 4).astype(np.float32)):
        inside = owners == number
        (top, bottom), (left, right) = (
            np.flatnonzero(inside.any(axis=axis))[[0, -1]] for axis in (1, 0)
        )
        y, x = (
            np.linspace(0, size - 1, last - first + 1, dtype=np.float32)
            for first, last in ((top, bottom), (left, right))
        )
        across, down = np.meshgrid(x, y)
        box = cv2.remap(crop, across, down, cv2.INTER_LINEAR)
        # Colours were multiplied by what the region covers of their surroundings: a large region's
        # thin parts lie between the places that are sampled, and the token does not hold them.
        covered = box[..., 3:]
        colours = np.where(covered < 1, _LOST, 255 * box[..., :3] / np.maximum(covered, 1))
        place = slice(top, bottom + 1), slice(left, right + 1)
        canvas[place][inside[place]] = colours[inside[place]]
    return canvas.clip(0, 255).astype(np.uint8)


def outlined(image: Image, owners: npt.NDArray[np.uint16]) -> Image:
    """An image [S, S, 3], enlarged, with a thin white line wherever two regions meet."""
    canvas, large = (np.repeat(np.repeat(each, _ZOOM, 0), _ZOOM, 1) for each in (image, owners))
    ends = np.zeros(large.shape, bool)
    ends[1:] |= large[1:] != large[:-1]
    ends[:, 1:] |= large[:, 1:] != large[:, :-1]
    canvas[ends] = 255
    return canvas
