"""Corrupted images, in the manner of ImageNet-C (Hendrycks and Dietterich 2019).

Corrupted are decoded pixels: those that every tokenizer starts from, and those that the extractors'
own networks are given. Severity 0 leaves them as they are, 5 spoils them most. What is random
(noise, where a rectangle lies, the colour of the light) is drawn for an image and a kind, once for
all severities, so that these differ in strength alone.
"""

import random
from collections.abc import Callable, Iterable
from functools import cache
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]

#: By severity, 1 to 5. The first three are ImageNet-C's, whose images have 224 pixels a side.
_QUALITY = (25, 18, 15, 10, 7)  # of libjpeg, 1 to 100
_SIGMA = (1 / 224, 2 / 224, 3 / 224, 4 / 224, 6 / 224)  # of the blur, in sides
_NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation, as a share of white
_AREA = (0.05, 0.1, 0.2, 0.3, 0.4)  # of the rectangle, as a share of the image's
_CAST = (0.1, 0.2, 0.3, 0.45, 0.6)  # largest logarithm of a colour's gain

_GREY = 128


class Corruption(NamedTuple):
    """One way to spoil images, and how much: 0 (not at all) to 5."""

    kind: str
    severity: int

    def __str__(self) -> str:
        """The name of its folder, e.g. `blur-3`."""
        return f"{self.kind}-{self.severity}"


#: An image as it is.
CLEAN = Corruption("clean", 0)


def every(severities: Iterable[int]) -> list[Corruption]:
    """Each kind in each severity but 0, which leaves an image as it is."""
    return [Corruption(kind, each) for kind in KINDS for each in sorted(severities) if each]


def corrupt(pixels: UInt8, image_id: int, corruption: Corruption) -> UInt8:
    """Corrupt an image: the same bytes for the same pixels, image id and corruption.

    Args:
        pixels: [H, W, C] uint8, RGB first; what channels there are behind them stay.
        image_id: the image's.
        corruption: of a kind of `KINDS`, or `CLEAN`.

    Returns:
        [H, W, C] uint8; `pixels` itself at severity 0.
    """
    if corruption.severity == 0:
        return pixels
    drawn = random.Random(f"{corruption.kind} {image_id}")
    spoilt = pixels.copy()
    spoilt[..., :3] = _WAYS[corruption.kind](pixels[..., :3], corruption.severity - 1, drawn)
    return spoilt


def _jpeg(image: UInt8, level: int, drawn: random.Random) -> UInt8:
    """Compressed with colours at half the resolution, as cameras do."""
    settings = [
        *(cv2.IMWRITE_JPEG_QUALITY, _QUALITY[level]),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def _blur(image: UInt8, level: int, drawn: random.Random) -> UInt8:
    """Out of focus."""
    height, width = image.shape[:2]
    blurred = cv2.GaussianBlur(image, (0, 0), _SIGMA[level] * width, sigmaY=_SIGMA[level] * height)
    return np.asarray(blurred, np.uint8)


def _noise(image: UInt8, level: int, drawn: random.Random) -> UInt8:
    """Gaussian, of each pixel and colour on its own."""
    numbers = np.frombuffer(drawn.randbytes(2 * image.size), "<u2")
    normal = _quantiles()[numbers].reshape(image.shape)
    return _bytes(image + normal * np.float32(255 * _NOISE[level]))


def _occlusion(image: UInt8, level: int, drawn: random.Random) -> UInt8:
    """A grey rectangle somewhere inside; that of a lesser severity lies in it."""
    across, down = drawn.random(), drawn.random()
    shape = 2 ** drawn.uniform(-1, 1)  # width by height, each in sides of the image
    (left, right), (top, bottom) = (
        (round(place * (size - share * size)), round(place * (size - share * size) + share * size))
        for place, size, share in (
            (across, image.shape[1], sqrt(_AREA[level] * shape)),
            (down, image.shape[0], sqrt(_AREA[level] / shape)),
        )
    )
    covered = image.copy()
    covered[top:bottom, left:right] = _GREY
    return covered


def _colour(image: UInt8, level: int, drawn: random.Random) -> UInt8:
    """Seen in the light of another colour, neither brighter nor darker: a gain a channel."""
    direction = np.array([drawn.gauss(0, 1) for _ in range(3)])
    direction -= direction.mean()
    gains = np.exp(_CAST[level] * direction / np.abs(direction).max())
    return _bytes(image * gains)


@cache
def _quantiles() -> NDArray[np.float32]:
    """[65536] the quantiles of the normal distribution: two random bytes choose one."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((number + 0.5) / 65536) for number in range(65536)], np.float32)


def _bytes(values: NDArray[np.floating]) -> UInt8:
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


_WAYS: dict[str, Callable[[UInt8, int, random.Random], UInt8]] = {
    "jpeg": _jpeg,
    "blur": _blur,
    "noise": _noise,
    "occlusion": _occlusion,
    "colour": _colour,
}

#: The kinds of corruption.
KINDS = tuple(_WAYS)
