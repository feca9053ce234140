"""What tokens of regions hold, by loops over pixels and by scikit-image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate, map_coordinates

from semtok.tokens.superpixel.hierarchy import superpixels
from semtok.tokens.superpixel.regions import (
    gradient_histograms,
    position_histograms,
    region_pixels,
)
from semtok.tokens.superpixel.voronoi import voronoi

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14))


def noise(shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    )


@settings(deadline=None, max_examples=12)
@given(SHAPES, st.integers(0, 3), st.sampled_from([0.025, 0.05]), st.integers(0, 99))
def test_position_histograms_agree_with_a_plain_loop(shape, levels, sigma, seed):
    partition = superpixels(noise(shape, seed), levels)
    found = position_histograms(partition, sigma)
    assert found.shape == (int(partition.counts.sum()), 256)
    for region in np.random.default_rng(seed).permutation(len(found))[:5]:
        wanted, (_, rows, columns) = np.zeros((16, 16)), np.nonzero(partition.labels == region).T
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            y, x = (2 * each / max(shape[1:]) - 1 for each in (row, column))
            for i in range(16):
                for j in range(16):
                    z = (y - (-15 / 16 + i / 8)) / sigma, (x - (-15 / 16 + j / 8)) / sigma
                    wanted[i, j] += math.exp(-0.5 * (z[0] ** 2 + z[1] ** 2))
        wanted /= len(rows) / 4
        np.testing.assert_allclose(found[region].view(16, 16), wanted, atol=1e-4)


@settings(deadline=None, max_examples=12)
@given(SHAPES, st.integers(0, 3), st.sampled_from([0.025, 0.05]), st.integers(0, 99))
def test_gradient_histograms_agree_with_a_plain_loop(shape, levels, sigma, seed):
    images = noise(shape, seed)
    partition = superpixels(images, levels)
    found = gradient_histograms(images, partition, sigma)
    assert found.shape == (int(partition.counts.sum()), 256)
    kernel = np.outer([3, 10, 3], [-1, 0, 1]) / 16
    bright = images.numpy().mean(axis=3) / 255
    down, across = (
        [
            np.arcsinh(27.8 * correlate(each, axis, mode="nearest")) / math.asinh(27.8)
            for each in bright
        ]
        for axis in (kernel.T, kernel)
    )
    centres = np.linspace(-15 / 16, 15 / 16, 16)
    for region in np.random.default_rng(seed).permutation(len(found))[:5]:
        wanted, places = np.zeros((16, 16)), np.argwhere(partition.labels.numpy() == region)
        for image, row, column in places.tolist():
            y, x = down[image][row, column] - centres, across[image][row, column] - centres
            wanted += np.exp(-0.5 * np.add.outer(y**2, x**2) / sigma**2)
        np.testing.assert_allclose(found[region].view(16, 16), 4 * wanted / len(places), atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(SHAPES, st.integers(0, 3), st.sampled_from([2, 5, 16]), st.integers(0, 99))
def test_pixels_agree_with_splines_of_scipy(shape, levels, size, seed):
    images = noise(shape, seed)
    partition = superpixels(images, levels)
    found = region_pixels(images, partition, size).view(-1, size, size, 4)
    for region in np.random.default_rng(seed).permutation(len(found))[:5]:
        image, rows, columns = np.nonzero(partition.labels.numpy() == region)
        places = np.meshgrid(
            *(np.linspace(each.min(), each.max(), size) for each in (rows, columns)), indexing="ij"
        )
        pixels, labels = images[image[0]].numpy(), partition.labels[image[0]].numpy()
        cover, *colours = (
            map_coordinates(values.astype(float), places, order=1, mode="nearest")
            for values in (labels == region, *pixels.transpose(2, 0, 1))
        )
        wanted = np.stack([*(cover * each for each in colours), 255 * cover], axis=-1)
        assert np.abs(found[region].numpy() - wanted).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("cut", ["superpixels", "voronoi"])
def test_a_token_alone_is_what_it_is_among_others(cut):
    images = noise((3, 40, 33), 5)
    counts = superpixels(images, 3).counts
    made = (
        (lambda at: superpixels(images[at], 3))
        if cut == "superpixels"
        else (lambda at: voronoi(images[at], counts[at]))
    )
    together = made(slice(None))
    pixels, places = region_pixels(images, together, 16), position_histograms(together)
    slopes = gradient_histograms(images, together, 0.05)
    for at in range(3):
        alone, own = made(slice(at, at + 1)), together.image == at
        assert torch.equal(region_pixels(images[at : at + 1], alone, 16), pixels[own])
        assert torch.equal(position_histograms(alone), places[own])
        assert torch.equal(gradient_histograms(images[at : at + 1], alone, 0.05), slopes[own])
