"""TokenCut against scipy's generalised eigenproblem and labels, as its paper has them."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import linalg, ndimage

from semtok.bench.token_cut import token_cut
from semtok.bench.token_regions import paint


def reference(features: np.ndarray, rows: int, columns: int, tau: float) -> np.ndarray:
    """The published algorithm in its own words: its mask of patches, [rows, columns].

    Examples that numerics alone decide are left out.
    """
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assume(np.abs(cosines - tau).min() > 1e-9)
    weights = np.where(cosines > tau, 1.0, 1e-5)
    degrees = np.diag(weights.sum(axis=1))
    values, vectors = linalg.eigh(degrees - weights, degrees, subset_by_index=[1, 2])
    assume(values[1] - values[0] > 1e-7)
    vector = vectors[:, 0]
    assume(np.abs(vector - vector.mean()).min() > 1e-9)
    ordered = np.sort(np.abs(vector))
    assume(ordered[-1] - ordered[-2] > 1e-7)
    seed = np.argmax(np.abs(vector))
    side = vector > vector.mean()
    if not side[seed]:
        side = ~side
    labels, _ = ndimage.label(side.reshape(rows, columns))
    return labels == labels[divmod(seed, columns)]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    sides=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    width=st.integers(2, 5),
    tau=st.floats(-0.3, 0.7),
)
def test_masks_are_those_of_the_published_algorithm(seed, sides, width, tau) -> None:
    rows, columns = sides
    features = np.random.default_rng(seed).normal(size=(rows * columns, width))
    wanted = reference(features, rows, columns, tau)
    owners = np.arange(rows * columns).reshape(sides)
    found = token_cut(torch.from_numpy(features), owners, tau)
    assert (found.mask.reshape(sides) == wanted).all()
    assert found.heat.min() == 0
    assert found.heat.max() == 1
    # Heat grows towards what stands out, whatever sign the eigenvector came with.
    assert found.heat[found.mask].min() > found.heat.mean()


def planted(rows: int, columns: int) -> tuple[torch.Tensor, np.ndarray]:
    """Features of a rectangle unlike its surroundings, and of another one that is smaller."""
    random = torch.Generator().manual_seed(0)
    features = torch.tensor([1.0, 0.0]).repeat(rows, columns, 1)
    features[2:5, 3:7] = features[7:8, 0:2] = torch.tensor([0.0, 1.0])
    noise = 0.05 * torch.randn(rows, columns, 2, generator=random)
    truth = np.zeros((rows, columns), bool)
    truth[2:5, 3:7] = True
    return (features + noise).view(-1, 2), truth


def test_an_object_is_found_and_what_does_not_hang_together_with_it_is_not() -> None:
    features, truth = planted(9, 10)
    found = token_cut(features, np.arange(90).reshape(9, 10), 0.5)
    assert (found.mask.reshape(9, 10) == truth).all()
    assert found.heat.reshape(9, 10)[7, 0] > 0.99  # on the same side of the cut


@pytest.mark.parametrize("tau", [-1.0, 0.2, 0.999])
def test_where_all_tokens_are_alike_the_whole_image_stands_out(tau) -> None:
    owners = np.arange(12).reshape(3, 4)
    assert token_cut(torch.ones(12, 5), owners, tau).mask.all()


def test_where_no_two_tokens_are_alike_the_whole_image_stands_out() -> None:
    owners = np.arange(4).reshape(2, 2)
    assert token_cut(torch.eye(4), owners, 0.2).mask.all()
    assert token_cut(torch.ones(1, 3), np.zeros((5, 5), np.int64), 0.2).mask.all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20), cells=st.integers(6, 14))
def test_regions_hang_together_where_their_pixels_do(seed, cells) -> None:
    """Voronoi cells of rows and columns, as superpixels: ragged, each connected."""
    random = np.random.default_rng(seed)
    lines = np.sort(random.choice(np.arange(1, 24), cells, replace=False))
    bands = np.searchsorted(lines, np.arange(24), side="right")
    owners = np.zeros((24, 24), np.int64)
    at = 0
    for band in range(bands.max() + 1):  # each band of rows is cut at places of its own
        cuts = np.sort(random.choice(np.arange(1, 24), 3, replace=False))
        owners[bands == band] = at + np.searchsorted(cuts, np.arange(24), side="right")
        at += 4
    features = torch.from_numpy(random.normal(size=(at, 3)))
    found = token_cut(features, owners, 0.2)
    mask = paint(found.mask, owners, 24, 24)
    assert ndimage.label(mask)[1] == 1
    side = paint(found.heat, owners, 24, 24)
    assert (side[mask].min() > found.heat.mean()) or found.mask.all()
    # Nothing on the same side touches it.
    around = ndimage.binary_dilation(mask) & ~mask
    assert found.mask.all() or (side[around] <= found.heat.mean()).all()


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 40), st.integers(1, 40))
def test_painting_is_nearest_neighbour_resampling(rows, columns, height, width) -> None:
    values = torch.arange(float(rows * columns))
    owners = np.arange(rows * columns).reshape(rows, columns)
    wanted = torch.nn.functional.interpolate(
        values.view(1, 1, rows, columns).double(), size=(height, width), mode="nearest"
    )
    found = paint(values.numpy(), owners, height, width)
    if height % rows == 0 and width % columns == 0:
        assert (found == wanted[0, 0].numpy()).all()
    assert found.shape == (height, width)
    assert found[0, 0] == 0
