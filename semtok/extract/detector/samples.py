"""Image files and masks -> what a step of training looks at, and what it should find."""

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
from semtok.extract.detector.network import CELL, MASK_PIXEL
from semtok.extract.photos import read_image
from semtok.remote import AnyPath

#: A cell lies in the middle of a mask where it is nearer to it than this share of the radius,
#: and than a cell's side, so that what is large does not outweigh what is small.
_CORE, _MOST = 0.5, CELL / MASK_PIXEL


class Sample(NamedTuple):
    """Some images and their masks.

    Attributes:
        pixels: [B, 3, S, S] float32, 0 to 1.
        middles: [B, S / 8, S / 8] float32, 1 where a cell lies in the middle of a mask.
        image, row, column: [N] int64, these cells.
        owner: [N] int64, the place in `masks` of the mask that a cell is the middle of.
        masks: [M, S / 2, S / 2] float32, the share of each pixel that belongs to the mask.
    """

    pixels: Tensor
    middles: Tensor
    image: Tensor
    row: Tensor
    column: Tensor
    owner: Tensor
    masks: Tensor


class Samples:
    """The annotated images that a training draws from."""

    def __init__(self, root: AnyPath, images: pa.Table, masks: pa.Table, size: int) -> None:
        """Index them; nothing is decoded before it is asked for.

        Args:
            root: the data root.
            images: schema `IMAGES`.
            masks: schema `MASKS`, ordered by image_id; those of other images are passed over.
            size: side S that images are stretched to; a multiple of `ALIGN`.
        """
        self.image_ids: NDArray[np.int64] = images["image_id"].to_numpy()
        self._paths = [root / path for path in images["path"].to_pylist()]
        self._size = size
        owner = masks["image_id"].to_numpy()
        self._first = np.searchsorted(owner, self.image_ids, side="left")
        self._last = np.searchsorted(owner, self.image_ids, side="right")
        self._height, self._width = (masks[name].to_numpy() for name in ("height", "width"))
        self._counts = masks["counts"].combine_chunks()

    def __len__(self) -> int:
        """The number of images."""
        return len(self._paths)

    def take(self, places: Sequence[int], mirrored: Sequence[bool]) -> Sample:
        """Read some images.

        Args:
            places: of B images.
            mirrored: [B] whether left and right change places.
        """
        pixels, cells, drawn = [], [], []
        found = 0
        for number, (place, mirror) in enumerate(zip(places, mirrored, strict=True)):
            turn = slice(None, None, -1 if mirror else 1)
            pixels.append(read_image(self._paths[place], self._size)[:, turn])
            masks = self._masks(place)[:, :, turn]
            drawn.append(masks)
            cells += [(number, row, column, found + mask) for mask, row, column in _middles(masks)]
            found += len(masks)
        image, row, column, owner = torch.tensor(cells, dtype=torch.int64).view(-1, 4).unbind(1)
        side = self._size // CELL
        middles = torch.zeros(len(pixels), side, side)
        middles[image, row, column] = 1
        return Sample(
            pixels=to_tensor(pixels),
            middles=middles,
            image=image,
            row=row,
            column=column,
            owner=owner,
            masks=torch.from_numpy(np.ascontiguousarray(np.concatenate(drawn))),
        )

    def _masks(self, place: int) -> NDArray[np.float32]:
        """[M, S / 2, S / 2] the masks of an image, the largest one first."""
        side = self._size // MASK_PIXEL
        masks: list[NDArray[np.float32]] = [np.empty((0, side, side), np.float32)]
        for at in range(self._first[place], self._last[place]):
            runs = self._counts[at].values.to_numpy()
            whole = rle.decode(runs, int(self._height[at]), int(self._width[at]))
            small = cv2.resize(
                np.ascontiguousarray(whole, np.float32), (side, side), interpolation=cv2.INTER_AREA
            )
            masks.append(np.asarray(small, np.float32)[None])
        joined = np.concatenate(masks)
        return joined[np.argsort(-joined.sum(axis=(1, 2)), kind="stable")]


def _middles(masks: NDArray[np.float32]) -> list[tuple[int, int, int]]:
    """The cells in the middle of each mask: mask, row, column.

    A mask's middle is its pixel farthest from everything else (which lies inside, as a centroid
    need not). Where masks share a cell it goes to the smaller one, so that none is lost behind
    what it stands on.
    """
    cell = CELL // MASK_PIXEL
    side = masks.shape[1] // cell
    taken: dict[tuple[int, int], int] = {}
    for number, mask in enumerate(masks):
        inside = (mask >= 0.5).astype(np.uint8)
        depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = divmod(int(depth.argmax() if inside.any() else mask.argmax()), masks.shape[2])
        reach = min(_CORE * float(depth[y, x]), _MOST)
        rows = range(int(max(y - reach, 0)) // cell, int(y + reach) // cell + 1)
        columns = range(int(max(x - reach, 0)) // cell, int(x + reach) // cell + 1)
        for row in rows:
            for column in columns:
                if row < side and column < side:
                    taken[row, column] = number
    return [(number, row, column) for (row, column), number in taken.items()]
