"""Bad light, blur and noise: what a camera does to a picture after its masks are known."""

import random
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes import Settings

_BLUR = 0.025  # standard deviation of the strongest blur, in image sides
_NOISE = 0.2  # standard deviation of the strongest noise, as a share of white

Pixels = NDArray[np.float32]


def disturb(image: NDArray[np.uint8], settings: Settings, image_id: int) -> NDArray[np.uint8]:
    """Disturb a picture as much as the settings allow, each way by a strength of its own.

    A strength is drawn uniformly between 0 and the setting, from a random stream that belongs to
    this image and this disturbance, so one setting changes nothing of what the others do.

    Args:
        image: [S, S, 3] RGB.

    Returns:
        [S, S, 3] RGB; `image` itself where all settings are 0.
    """
    for name, spoil in _WAYS.items():
        most = getattr(settings, name)
        if most > 0:
            rng = random.Random(f"{name} {settings.seed} {image_id}")
            spoilt = spoil(image.astype(np.float32), rng.uniform(0.0, most), rng)
            image = np.rint(np.clip(spoilt, 0, 255)).astype(np.uint8)
    return image


def _light(image: Pixels, strength: float, rng: random.Random) -> Pixels:
    """Over- or underexposed, and lit from one side."""
    exposure = 2.5 ** (strength * rng.choice((-1.0, 1.0)))
    side = np.linspace(-strength, strength, len(image), dtype=np.float32) * rng.uniform(-0.5, 0.5)
    lit = side[:, None] if rng.random() < 0.5 else side[None, :]
    return np.asarray(image * (exposure * (1.0 + lit))[..., None], np.float32)


def _blur(image: Pixels, strength: float, rng: random.Random) -> Pixels:
    """Out of focus."""
    sigma = max(strength * _BLUR * len(image), 0.01)  # at 0 OpenCV would ask for the kernel's size
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def _noise(image: Pixels, strength: float, rng: random.Random) -> Pixels:
    """Noise of a dark sensor, near to normal: the sum of four uniform bytes."""
    drawn = np.frombuffer(rng.randbytes(4 * image.size), np.uint8).reshape(4, *image.shape)
    normal = (drawn.sum(0, dtype=np.float32) - 510.0) / np.float32(147.8)
    return np.asarray(image + normal * np.float32(strength * _NOISE * 255), np.float32)


#: By setting, in the order of a camera: what reaches the lens, the lens, the sensor.
_WAYS: Mapping[str, Callable[[Pixels, float, random.Random], Pixels]] = {
    "light": _light,
    "blur": _blur,
    "noise": _noise,
}
