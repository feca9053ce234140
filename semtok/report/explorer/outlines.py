"""Masks as outlines for a page: what an SVG path is drawn by."""

import cv2
import numpy as np
import numpy.typing as npt

from semtok.report import overlay

#: Units of the longer side of the drawing, however large the image is.
SIDE = 480

#: Units that an outline may stray from the mask's edge, so that paths are short, and for thin masks
#: the share of how thick they are (twice the area over the perimeter).
_STRAY, _SHARE = 2.0, 0.1


def size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the drawing of an image, in units: the longer one is `SIDE`."""
    scale = SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def outline(mask: npt.NDArray[np.uint8]) -> tuple[str, tuple[int, int]]:
    """The outline of a mask, holes included.

    Args:
        mask: [H, W], 1 inside, of an image's size; not empty.

    Returns:
        The `d` of an SVG path in units of the drawing, to be filled by the rule `evenodd`, and the
        place (x, y) deepest inside, where a name can stand.
    """
    width, height = size(mask.shape[1], mask.shape[0])
    whole = np.ascontiguousarray(mask)
    large = np.asarray(
        cv2.resize(whole, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8
    )
    if not large.any():  # thinner than one unit of the drawing
        y, x = (int(each[0]) for each in np.nonzero(mask))
        x, y = x * width // mask.shape[1], y * height // mask.shape[0]
        return f"M{x} {y}h1v1h-1z", (x, y)
    found, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    length = sum(cv2.arcLength(each, closed=True) for each in found)
    stray = min(_STRAY, _SHARE * 2 * int(large.sum()) / max(length, 1))
    paths = (cv2.approxPolyDP(each, stray, closed=True)[:, 0].tolist() for each in found)
    x, y = overlay.deepest(large)
    return "".join(map(_path, paths)), (round(x), round(y))


def box(geometry: npt.NDArray[np.float32], width: int, height: int) -> str:
    """The path of a region's box.

    Args:
        geometry: [5], centre, width and height (0..1), and area.
        width, height: of the drawing, in units.
    """
    cx, cy, w, h, _ = geometry.tolist()
    left, top = round((cx - w / 2) * width), round((cy - h / 2) * height)
    across, down = max(1, round(w * width)), max(1, round(h * height))
    return f"M{left} {top}h{across}v{down}h{-across}z"


def _path(points: list[list[int]]) -> str:
    if len(points) < 3:  # a line or a dot has no inside: a unit square is seen
        return f"M{points[0][0]} {points[0][1]}h1v1h-1z"
    return "M" + "L".join(f"{x} {y}" for x, y in points) + "z"
