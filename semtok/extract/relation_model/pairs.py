"""An image and its masks -> what the relation model sees of pairs of them."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.extract import rle
from semtok.extract.convolutions import to_tensor

#: Pixels around the common box, as a share of its longer side: what surrounds a pair tells too.
_MARGIN = 0.1


class Masks(NamedTuple):
    """The masks of one image.

    Attributes:
        mask_ids: [M] int64.
        boxes: [M, 4] int64 x, y, w, h in pixels.
        pixels: [M, H, W] uint8, 0 or 1.
    """

    mask_ids: NDArray[np.int64]
    boxes: NDArray[np.int64]
    pixels: NDArray[np.uint8]


def masks_of(rows: pa.Table) -> Masks:
    """The masks of one image from its rows (schema `MASKS`), at least one."""
    names = ("counts", "height", "width")
    drawn = [rle.decode(*each) for each in zip(*(rows[n].to_pylist() for n in names), strict=True)]
    boxes = np.stack([rows[side].to_numpy().astype(np.int64) for side in "xywh"], axis=1)
    # They are drawn by columns, and every crop would turn them to rows once more.
    pixels = np.ascontiguousarray(np.stack(drawn))
    return Masks(rows["mask_id"].to_numpy().astype(np.int64), boxes, pixels)


def every_pair(masks: int) -> list[tuple[int, int]]:
    """All ordered pairs of different masks, as places."""
    return list(itertools.permutations(range(masks), 2))


def look(
    image: NDArray[np.uint8], masks: Masks, pairs: Sequence[tuple[int, int]], size: int
) -> tuple[Tensor, Tensor]:
    """What the network is shown of some pairs.

    Args:
        image: [H, W, 3] RGB.
        masks: of the image.
        pairs: N times subject and object, places in `masks`.
        size: side S of the crops.

    Returns:
        Crops [N, 5, S, S] float32, 0 to 1, and geometry [N, 14] float32.
    """
    crops = [_crop(image, masks, *pair, size) for pair in pairs]
    return to_tensor(crops), torch.from_numpy(geometry(masks, pairs, image.shape[:2]))


def geometry(
    masks: Masks, pairs: Sequence[tuple[int, int]], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Where two masks are, and where they are to one another: [N, 14].

    For subject and object each the centre, the sides and the root of the area, in shares of the
    image; then the step between the centres in the subject's own size, the logarithm of the ratio
    of their areas, and how much their boxes overlap (IoU).
    """
    height, width = shape
    box = masks.boxes.astype(np.float64) / (width, height, width, height)
    area = masks.pixels.mean(axis=(1, 2), dtype=np.float64)
    centre = box[:, :2] + box[:, 2:] / 2
    own = np.concatenate([centre, box[:, 2:], np.sqrt(area)[:, None]], axis=1)
    one, other = np.array(pairs, np.int64).reshape(-1, 2).T
    step = (centre[other] - centre[one]) / np.sqrt(area[one])[:, None]
    low = np.maximum(box[one, :2], box[other, :2])
    high = np.minimum(box[one, :2] + box[one, 2:], box[other, :2] + box[other, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    both = box[one, 2:].prod(axis=1) + box[other, 2:].prod(axis=1) - shared
    ratio = np.log(area[other] / area[one])
    pair = np.stack([*np.clip(step, -4, 4).T, ratio, shared / both], axis=1)
    return np.concatenate([own[one], own[other], pair], axis=1).astype(np.float32)


def _crop(
    image: NDArray[np.uint8], masks: Masks, subject: int, object_: int, size: int
) -> NDArray[np.uint8]:
    """[S, S, 5] the common box of two masks, in colour, with both masks."""
    boxes = masks.boxes[[subject, object_]]
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    margin = int(np.ceil(_MARGIN * (high - low).max()))
    left, top = np.maximum(low - margin, 0)
    right, bottom = np.minimum(high + margin, image.shape[1::-1])
    part = np.s_[top:bottom, left:right]
    layers = [image[part], *(255 * masks.pixels[at][part] for at in (subject, object_))]
    resized = [cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR) for each in layers]
    return np.dstack(resized)
