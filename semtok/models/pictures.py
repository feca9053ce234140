"""Patches back to the picture that they were cut from, for encoders that cut it themselves."""

import math

import torch
from torch import Tensor

_CHANNELS = 3


def assembled(features: Tensor, dtype: torch.dtype) -> Tensor:
    """Join the patches of B square pictures.

    Args:
        features: [B, N, p * p * 3] uint8, of N patches in reading order (see `TokenBatch`).
        dtype: of the result.

    Returns:
        [B, 3, S, S], bytes 0..255 scaled to -1..1.
    """
    images, patches, pixels = features.shape
    side, patch = math.isqrt(patches), math.isqrt(pixels // _CHANNELS)
    grid = (features.to(dtype) / 127.5 - 1).view(images, side, side, patch, patch, _CHANNELS)
    size = side * patch
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(images, _CHANNELS, size, size)
