"""The control of superpixels: random Voronoi cells, as many, which know nothing of the image.

In city-block distance. A step towards the site of its own cell brings a pixel no further than that
from any other site, so the pixel next to it is in the same cell: each cell is connected (of 4), as
superpixels are, which cells in Euclidean distance on a grid of pixels need not be.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor

from semtok.tokens.superpixel.hierarchy import Partition


def voronoi(images: Tensor, counts: Tensor) -> Partition:
    """Cut images into Voronoi cells around random pixels.

    The sites of an image are drawn by a seed that comes from its pixels, so that it has the same
    cells in every batch and on every run.

    Args:
        images: [B, H, W, 3] uint8 RGB.
        counts: [B] int64, cells of each image, from 1 to H x W.
    """
    _, height, width, _ = images.shape
    labels, before = [], 0
    for image, count in zip(images, counts.tolist(), strict=True):
        cell = cells(_sites(image, count).to(images.device), height, width)
        labels.append(_by_first_pixel(cell, count) + before)
        before += count
    return Partition(torch.stack(labels), counts)


def cells(sites: Tensor, height: int, width: int) -> Tensor:
    """The site that is nearest to each pixel, of equally near ones the first.

    Args:
        sites: [N, 2] int64, row and column.
        height, width: of the image.

    Returns:
        [height, width] int64, 0..N-1.
    """
    number = torch.arange(len(sites), device=sites.device)
    row, column = (
        torch.arange(height, device=sites.device),
        torch.arange(width, device=sites.device),
    )
    # The distance leads, the site's number follows.
    down = (row - sites[:, :1]).abs() * len(sites) + number[:, None]
    across = (column - sites[:, 1:]).abs() * len(sites)
    nearest = down.int()[:, :, None] + across.int()[:, None]
    return nearest.amin(dim=0).long() % len(sites)


def _sites(image: Tensor, count: int) -> Tensor:
    """Rows and columns of so many different pixels of an image [H, W, 3], [count, 2] int64."""
    height, width, _ = image.shape
    digest = hashlib.blake2b(image.cpu().contiguous().numpy().tobytes(), digest_size=8).digest()
    random = np.random.default_rng(int.from_bytes(digest, "little"))
    pixel = torch.from_numpy(random.choice(height * width, count, replace=False))
    return torch.stack([pixel // width, pixel % width], dim=1)


def _by_first_pixel(cell: Tensor, count: int) -> Tensor:
    """The same cells, [H, W], numbered in the order of their first pixels."""
    flat = cell.flatten()
    pixel = torch.arange(len(flat), device=cell.device)
    first = pixel.new_full((count,), len(flat)).scatter_reduce_(0, flat, pixel, "amin")
    return first.argsort().argsort()[flat].view_as(cell)
