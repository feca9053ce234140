"""The features of regions as pictures."""

import math

import numpy as np
import numpy.typing as npt

from semtok.tokens.rows import Features

_FLAT = 16  # pixels a side of a tile of one colour
_BACKGROUND = 232  # grey of what a mask leaves out

Image = npt.NDArray[np.uint8]


def region_tiles(features: Features) -> Image:
    """Features [R, k*k*4] of regions as pictures [R, k, k, 3]: on grey where the mask is not.

    Those of a backbone [R, D] are one colour each: their first three principal components among
    the regions given, so that regions of like features look alike.
    """
    if features.dtype == np.float16:
        return _colours_of(features.astype(np.float32))
    side = math.isqrt(features.shape[1] // 4)
    pixels = features.reshape(-1, side, side, 4).astype(np.float32)
    background = _BACKGROUND * (1 - pixels[..., 3:] / 255)
    return (pixels[..., :3] + background).clip(0, 255).astype(np.uint8)


def _colours_of(vectors: npt.NDArray[np.float32]) -> Image:
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    components = np.zeros((len(vectors), 3), np.float32)
    components[:, : sizes.size] = (left * sizes)[:, :3]
    reach = np.abs(components).max(axis=0)
    colours = 127.5 + 127.5 * components / np.where(reach > 0, reach, 1)
    return np.tile(colours[:, None, None], (1, _FLAT, _FLAT, 1)).astype(np.uint8)
