"""The detector's network: one pass over the pixels, no proposals, no categories.

In the manner of CondInst (arXiv 2003.05664) and SOLOv2 (arXiv 2003.10152): a coarse map says where
a mask's middle lies; the same place gives the weights of a tiny network of its own, which draws
that mask from features that all masks share. It learns in minutes on two CPU cores, where
transformers with object queries need days.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semtok.extract.convolutions import Residual, convolution

#: Pixels a side of a cell of the map of middles, and of a pixel of the drawn masks.
CELL, MASK_PIXEL = 8, 2

#: Images are padded to a multiple of this.
ALIGN = 32

_DRAWN, _HIDDEN = 16, 8  # channels that masks are drawn from, and of the network that draws them
_PLACE = 2  # the pixel's place relative to the mask's middle
_PARAMETERS = (_DRAWN + _PLACE) * _HIDDEN + _HIDDEN + _HIDDEN + 1

#: A mask's size is not known where it is drawn; this scales places to about -1..1 for most.
_REACH = 32.0

#: Middles are rare: start by expecting one in a hundred cells (arXiv 1708.02002).
_RARE = -4.6


class Features(NamedTuple):
    """What one pass gives.

    Attributes:
        middles: [B, H / 8, W / 8] logits of a cell being the middle of a mask.
        kernels: [B, P, H / 8, W / 8] weights of each cell's own network.
        shared: [B, 16, H / 2, W / 2] what masks are drawn from.
    """

    middles: Tensor
    kernels: Tensor
    shared: Tensor


class Network(nn.Module):
    """Pixels -> middles, kernels and shared features."""

    def __init__(self, width: int) -> None:
        """Build it.

        Args:
            width: channels at full size of the coarse half; all others follow from it.
        """
        super().__init__()
        widths = [width // 4, width // 2, width, 2 * width, 3 * width]
        self.stem = convolution(3, widths[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(convolution(before, after, stride=2), Residual(after))
            for before, after in itertools.pairwise(widths)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(each, width, 1) for each in widths[1:])
        self.fine, self.finest = nn.Conv2d(width, _DRAWN, 1), nn.Conv2d(widths[0], _DRAWN, 1)
        self.draw = nn.Sequential(convolution(_DRAWN, _DRAWN), nn.Conv2d(_DRAWN, _DRAWN, 1))
        self.tower = nn.Sequential(convolution(width + _PLACE, width), convolution(width, width))
        self.middles, self.kernels = nn.Conv2d(width, 1, 1), nn.Conv2d(width, _PARAMETERS, 1)
        assert self.middles.bias is not None
        nn.init.constant_(self.middles.bias, _RARE)
        nn.init.normal_(self.kernels.weight, std=0.05)

    def forward(self, pixels: Tensor) -> Features:
        """Look at some images.

        Args:
            pixels: [B, 3, H, W] float32, 0 to 1; sides are multiples of `ALIGN`.
        """
        finest = self.stem((pixels - 0.5) * 4)
        levels, level = [], finest
        for stage in self.stages:
            level = stage(level)
            levels.append(level)
        joined: Tensor | None = None
        pyramid = []
        for lateral, level in zip(reversed(self.laterals), reversed(levels), strict=True):
            own = lateral(level)
            joined = own if joined is None else own + F.interpolate(joined, scale_factor=2.0)
            pyramid.append(joined)
        coarse, fine = pyramid[-2], pyramid[-1]
        shared = F.interpolate(
            self.fine(fine), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        shared = self.draw(shared + self.finest(finest))
        tower = self.tower(torch.cat([coarse, _grid(coarse)], dim=1))
        return Features(self.middles(tower)[:, 0], self.kernels(tower), shared)


def draw(features: Features, image: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Draw the masks of the given cells.

    Args:
        features: of B images.
        image, row, column: [N] int64, the cells.

    Returns:
        [N, H / 2, W / 2] logits of a pixel belonging to the mask.
    """
    height, width = features.shared.shape[2:]
    weights = features.kernels[image, :, row, column]
    sizes = [_DRAWN * _HIDDEN, _PLACE * _HIDDEN, _HIDDEN, _HIDDEN, 1]
    shared, place, offset, second, last = torch.split(weights, sizes, dim=1)
    places = [
        (torch.arange(size, device=at.device) * MASK_PIXEL - (at[:, None] + 0.5) * CELL) / _REACH
        for size, at in ((height, row), (width, column))
    ]
    drawn = shared.view(-1, _HIDDEN, _DRAWN) @ features.shared.flatten(2)[image]
    hidden = drawn.view(-1, _HIDDEN, height, width) + offset[..., None, None]
    hidden = hidden + place[:, :_HIDDEN, None, None] * places[0][:, None, :, None]
    hidden = hidden + place[:, _HIDDEN:, None, None] * places[1][:, None, None, :]
    found = second[:, None] @ F.relu(hidden).flatten(2) + last[..., None]
    return found.view(-1, height, width)


def _grid(like: Tensor) -> Tensor:
    """[B, 2, h, w] the place of every cell, -1 to 1."""
    rows, columns = (torch.linspace(-1, 1, size, device=like.device) for size in like.shape[2:])
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return grid.expand(len(like), -1, -1, -1)
