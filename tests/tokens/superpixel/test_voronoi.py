"""Voronoi cells by scipy's distances, and what they share with superpixels."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import cdist

from semtok.tokens.superpixel.voronoi import cells, voronoi


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 30), st.integers(0, 99))
def test_cells_are_connected_and_as_many_as_asked_for(height, width, wanted, seed):
    image = np.random.default_rng(seed).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    count = min(wanted, height * width)
    found = voronoi(torch.from_numpy(image), torch.tensor([count]))
    labels = found.labels[0].numpy()
    numbers, first = np.unique(labels, return_index=True)
    assert numbers.tolist() == list(range(count)) and sorted(first) == first.tolist()
    assert sum(ndimage.label(labels == each)[1] for each in numbers) == count


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 30), st.integers(0, 99))
def test_pixels_belong_to_the_nearest_site(height, width, count, seed):
    sites = np.random.default_rng(seed).integers(0, [height, width], (count, 2))
    places = np.argwhere(np.ones((height, width)))
    wanted = cdist(places, sites, "cityblock").argmin(axis=1).reshape(height, width)
    np.testing.assert_array_equal(cells(torch.from_numpy(sites), height, width), wanted)


def test_an_image_has_its_own_cells_and_another_one_others():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), np.uint8))
    counts = torch.tensor([12, 12])
    once, again = voronoi(images, counts), voronoi(images, counts)
    assert torch.equal(once.labels, again.labels)
    assert not torch.equal(once.labels[0], once.labels[1] - 12)
