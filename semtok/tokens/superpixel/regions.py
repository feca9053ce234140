"""What a token holds of a region: pixels, places, gradients (SPiT, arXiv 2408.07680)."""

import torch
from torch import Tensor

from semtok.tokens.superpixel.hierarchy import Partition
from semtok.tokens.superpixel.vertices import gradients

#: Bins a side of a histogram, and the standard deviation of its kernel; an image is 2 wide. SPiT's
#: models have the wider one where they also have histograms of gradients.
BINS, SIGMA, SIGMA_WITH_GRADIENTS = 16, 0.025, 0.05

#: Kernel values are multiples of this, so that sums are exact and no order of adding matters.
_UNIT = 2.0**-16


def region_pixels(images: Tensor, partition: Partition, size: int) -> Tensor:
    """The boxes of regions, resampled to k x k, as far as their region covers them.

    Both the image and the region's mask are read by bilinear interpolation, the box from its first
    to its last row and column, and multiplied.

    Args:
        images: [B, H, W, 3] uint8 RGB.
        partition: of these images.
        size: k, at least 2.

    Returns:
        [R, k*k*4] uint8: RGB times coverage, and coverage (0..255).
    """
    _, height, width, _ = images.shape
    low_y, high_y, low_x, high_x = _boxes(partition)
    steps = torch.arange(size, device=images.device, dtype=torch.float64) / (size - 1)
    y = (low_y[:, None] + steps * (high_y - low_y)[:, None])[:, :, None].expand(-1, -1, size)
    x = (low_x[:, None] + steps * (high_x - low_x)[:, None])[:, None, :].expand(-1, size, -1)
    top, left = y.floor(), x.floor()
    part_y, part_x = y - top, x - left
    rows = top.long(), (top.long() + 1).clamp(max=height - 1)
    columns = left.long(), (left.long() + 1).clamp(max=width - 1)
    start = (partition.image * height * width)[:, None, None]
    pixels, labels = images.reshape(-1, 3), partition.labels.flatten()
    own = torch.arange(len(low_y), device=images.device)[:, None, None]
    colour = images.new_zeros((*y.shape, 3), dtype=torch.float64)
    cover = images.new_zeros(y.shape, dtype=torch.float64)
    for row, share_y in zip(rows, (1 - part_y, part_y), strict=True):
        for column, share_x in zip(columns, (1 - part_x, part_x), strict=True):
            at, share = start + row * width + column, share_y * share_x
            colour += pixels[at] * share[..., None]
            cover += (labels[at] == own) * share
    covered = torch.cat([colour * cover[..., None], 255 * cover[..., None]], dim=-1)
    return (covered + 0.5).to(torch.uint8).flatten(1)


def position_histograms(partition: Partition, sigma: float = SIGMA) -> Tensor:
    """Where the pixels of regions lie, as joint histograms of rows and columns.

    Every pixel adds a Gaussian (Parzen 1962) around its place, where the longer side of an image
    runs from -1 to 1. Bins lie in their middles 2/16 apart, and a region that fills nothing but a
    bin has about 1 there:

        h[i, j] = 4 / |region| * sum of exp(-((y - c_i)^2 + (x - c_j)^2) / (2 sigma^2))

    Args:
        partition: of B images.
        sigma: of the Gaussian; an image is 2 wide.

    Returns:
        [R, 256] float32, 0..4, rows first.
    """
    _, height, width = partition.labels.shape
    labels = partition.labels.flatten()
    regions, device = int(partition.counts.sum()), labels.device
    down, across = (
        _kernel(torch.arange(each, dtype=torch.float64) * 2 / max(height, width) - 1, sigma)
        for each in (height, width)
    )
    pixel = torch.arange(len(labels), device=device)
    row, column = pixel // width % height, pixel % width
    # First along the rows of each region, then down its columns.
    rows = across.new_zeros(BINS, regions * height, device=device)
    at = (labels * height + row).expand(BINS, -1)
    rows.scatter_add_(1, at, across.T.to(device)[:, column])
    sums = torch.einsum("yi,jry->rij", down.to(device), rows.view(BINS, regions, height))
    return _shares(sums, labels)


def gradient_histograms(images: Tensor, partition: Partition, sigma: float) -> Tensor:
    """What the gradients of regions are, as joint histograms of their two differences.

    As `position_histograms`, with y and x of a pixel its differences of brightness, top to bottom
    and left to right (`vertices.gradients`).

    Args:
        images: [B, H, W, 3] uint8 RGB.
        partition: of these images.
        sigma: as of `position_histograms`.

    Returns:
        [R, 256] float32, 0..4, rows first.
    """
    labels, regions = partition.labels.flatten(), int(partition.counts.sum())
    across, down = (_kernel(each.flatten(), sigma) for each in gradients(images))
    sums = across.new_zeros(BINS, regions, BINS)
    at = labels[:, None].expand(-1, BINS)
    for own, weight in zip(sums, down.T, strict=True):  # all bins at once take 16 times the memory
        own.scatter_add_(0, at, weight[:, None] * across)
    return _shares(sums.transpose(0, 1), labels)


def _shares(sums: Tensor, labels: Tensor) -> Tensor:
    """Sums over the pixels of regions [R, 16, 16], in units, as histograms [R, 256]."""
    pixels = torch.zeros(len(sums), dtype=torch.int64, device=labels.device)
    pixels.scatter_add_(0, labels, torch.ones_like(labels))
    return (4 * _UNIT**2 * sums / pixels[:, None, None]).float().flatten(1)


def _kernel(places: Tensor, sigma: float) -> Tensor:
    """The Gaussian of each place [N] float64 at each bin, [N, 16] float64 whole numbers."""
    centre = torch.linspace(-1 + 1 / BINS, 1 - 1 / BINS, BINS, dtype=torch.float64)
    apart = (places[:, None] - centre.to(places.device)) / sigma
    return (torch.exp(-0.5 * apart.square()) / _UNIT).round()


def _boxes(partition: Partition) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """First and last row, first and last column of each region, [R] int64."""
    _, height, width = partition.labels.shape
    labels, regions = partition.labels.flatten(), int(partition.counts.sum())
    pixel = torch.arange(len(labels), device=labels.device)
    row, column = pixel // width % height, pixel % width
    low_y, high_y, low_x, high_x = (
        each.new_zeros(regions).scatter_reduce_(0, labels, each, how, include_self=False)
        for each in (row, column)
        for how in ("amin", "amax")
    )
    return low_y, high_y, low_x, high_x
