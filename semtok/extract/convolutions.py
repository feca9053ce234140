"""Layers of the extractors' own networks, and what the first of them sees."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


def convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """3 x 3, normalised over the batch, rectified."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class Residual(nn.Module):
    """Two convolutions beside the way straight on (arXiv 1512.03385)."""

    def __init__(self, width: int) -> None:
        """Build it for `width` channels."""
        super().__init__()
        self.first = convolution(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> the same shape."""
        return F.relu(x + self.norm(self.second(self.first(x))))


def to_tensor(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """B times [S, S, C] -> [B, C, S, S] float32, 0 to 1, as CPUs convolve it fastest."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return (stacked.float() / 255).contiguous(memory_format=torch.channels_last)
