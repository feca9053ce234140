"""Vertex features by loops over pixels, from the published constants."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from semtok.tokens.superpixel.vertices import gradients, pixel_features


def colours(image: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr of an image [H, W, 3] uint8, a pixel at a time."""
    height, width, _ = image.shape
    values = np.zeros((3, height, width))
    for y in range(height):
        for x in range(width):
            channels = []
            for value, (m, a) in zip(
                image[y, x], ((0.485, 0.539), (0.456, 0.507), (0.406, 0.404)), strict=True
            ):
                b = -math.log(2) / math.log(1 - m**a)
                channels.append(1 - (1 - (value / 255) ** a) ** b)
            grey = np.dot(channels, (0.299, 0.587, 0.114))
            r, g, b = np.clip([grey + 2.718 * (each - grey) for each in channels], 0, 1)
            luma = np.dot([r, g, b], (0.299, 0.587, 0.114))
            for channel, value in enumerate(
                (luma, (b - luma) * 0.564 + 0.5, (r - luma) * 0.713 + 0.5)
            ):
                values[channel, y, x] = math.asinh(10 * (2 * value - 1)) / math.asinh(10)
    for _ in range(4):
        before = values.copy()
        for y in range(height):
            for x in range(width):
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if 0 <= v < height and 0 <= u < width:
                        apart = before[:, v, u] - before[:, y, x]
                        values[:, y, x] += 0.5 * apart * np.exp(-((apart / 0.1) ** 2))
    return np.clip(values, -1, 1)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(1, 7), st.sampled_from([1, 30, 255]), st.integers(0, 99))
def test_agrees_with_loops_over_pixels(height, width, most, seed):
    image = np.random.default_rng(seed).integers(0, most + 1, (height, width, 3), np.uint8)
    found = pixel_features(torch.from_numpy(image[None]))
    assert found.dtype == torch.float32 and found.shape == (1, height, width, 4)
    np.testing.assert_allclose(found[0, ..., :3].permute(2, 0, 1), colours(image), atol=1e-6)
    bright = image.mean(axis=2) / 255
    kernel = np.outer([3, 10, 3], [-1, 0, 1]) / 16
    slopes = [
        np.arcsinh(27.8 * ndimage.correlate(bright, each, mode="nearest")) / math.asinh(27.8)
        for each in (kernel, kernel.T)
    ]
    for ours, slope in zip(gradients(torch.from_numpy(image[None])), slopes, strict=True):
        np.testing.assert_allclose(ours[0], slope, atol=1e-6)
    most_of_two = math.sqrt(2) * math.asinh(27.8 * 13 / 16) / math.asinh(27.8)
    np.testing.assert_allclose(found[0, ..., 3], 2 * np.hypot(*slopes) / most_of_two - 1, atol=1e-6)
