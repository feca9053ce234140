"""LIME's weights, against scikit-learn's ridge regression and models whose weights are known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_distances

from semtok.bench.lime import lime
from semtok.errors import SemtokError


def linear(weights):
    """A model that says 0.1 and the weights of the tokens that are left, and what it was asked."""
    asked = []

    def probability(among):
        asked.append(among)
        return 0.1 + (among * weights).sum(dim=1)

    return probability, asked


@given(
    st.lists(st.integers(0, 2**7 - 1), min_size=1, max_size=3),
    st.integers(7, 40),
    st.integers(0, 2**32 - 1),
)
def test_weights_are_those_of_scikit_learns_ridge(rows, draws, seed):
    readable = torch.tensor([[bool(row >> each & 1) for each in range(7)] for row in rows])
    random = torch.Generator().manual_seed(seed)
    asked, told = [], []

    def probability(among):
        asked.append(among.numpy())
        told.append(torch.rand(len(among), generator=random))
        return told[-1]

    found = lime(np.arange(len(rows)), readable, probability, draws)
    assert found.dtype == torch.float64
    for image, there in enumerate(readable.numpy()):
        sets, y = np.array([each[image] for each in asked]), [each[image].item() for each in told]
        assert not sets[:, ~there].any() and not found[image, ~there].any()
        if not there.any():
            continue
        far = cosine_distances(sets[:, there], np.ones((1, there.sum())))[:, 0]
        wanted = Ridge(alpha=1.0).fit(sets[:, there], y, sample_weight=np.exp(-((far / 0.25) ** 2)))
        np.testing.assert_allclose(found[image, there], wanted.coef_, atol=1e-9)


@pytest.mark.parametrize("tokens", [3, 20])
def test_the_tokens_of_a_linear_model_come_in_their_order(tokens):
    weights = torch.randn(4, tokens, generator=torch.Generator().manual_seed(0)).double()
    probability, _ = linear(weights)
    there = torch.ones(4, tokens, dtype=torch.bool)
    found = lime(np.arange(4), there, probability, 4000)
    assert (found.argsort(dim=1) == weights.argsort(dim=1)).all()
    # The penalty alone is between them.
    torch.testing.assert_close(found, weights, atol=0.1 * weights.abs().max().item(), rtol=0)


def test_of_every_size_equally_many_sets_are_asked_the_whole_among_them():
    probability, asked = linear(torch.zeros(2, 8))
    lime(np.array([3, 4]), torch.ones(2, 8, dtype=torch.bool), probability, 40)
    sets = torch.stack(asked, dim=1)
    for image in sets:
        assert np.bincount(image.sum(dim=1)).tolist() == [0, *[5] * 8]
        assert image[-1].all()
    assert (sets[0] != sets[1]).any()


def test_an_image_has_its_own_sets_and_the_same_on_every_run():
    ids, lengths = np.array([7, 9, 2]), (5, 3, 6)
    readable = torch.arange(6) < torch.tensor(lengths)[:, None]
    weights = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    many, again = (lime(ids, readable, linear(weights)[0], 60) for _ in range(2))
    assert torch.equal(many, again)
    for place, length in enumerate(lengths):
        alone = slice(place, place + 1)
        probability, _ = linear(weights[alone, :length])
        one = lime(ids[alone], readable[alone, :length], probability, 60)
        torch.testing.assert_close(many[alone, :length], one, atol=1e-9, rtol=0)
    other, _ = linear(weights)
    assert (lime(ids + 1, readable, other, 60) - many).abs().max() > 1e-3


def test_fewer_sets_than_tokens_are_refused():
    probability, _ = linear(torch.zeros(1, 8))
    with pytest.raises(
        SemtokError, match=r"lime_draws: 7 sets of tokens do not tell 8 tokens apart"
    ):
        lime(np.arange(1), torch.ones(1, 8, dtype=torch.bool), probability, 7)
