"""kNN against scikit-learn's weighted neighbours, and what sure and clueless models score."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from semtok.bench import knn
from semtok.bench.knn import Settings

PUBLISHED = Settings()
NEIGHBOURS, TEMPERATURE = 20, 0.07


def unit(random, *shape):
    found = random.normal(size=shape)
    return torch.tensor(found / np.linalg.norm(found, axis=-1, keepdims=True))


@limits(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.integers(2, 60),
    st.integers(2, 6),
    st.integers(2, 5),
    st.sampled_from([PUBLISHED, Settings(neighbours=5, temperature=1.0)]),
)
def test_votes_are_those_of_scikit_learn(seed, count, width, classes, settings):
    random = np.random.default_rng(seed)
    train, images = unit(random, count, width), unit(random, 9, width)
    labels = random.integers(classes, size=count).astype(np.int32)
    block = 8 * count * int(random.integers(1, 12))
    found = knn.votes(images, train, labels, classes, settings, block)
    theirs = KNeighborsClassifier(
        min(settings.neighbours, count),
        metric="cosine",
        algorithm="brute",
        weights=lambda distances: np.exp((1 - distances) / settings.temperature),
    ).fit(train.numpy(), labels)
    np.testing.assert_allclose(found[:, theirs.classes_], theirs.predict_proba(images), atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_who_is_as_near_as_the_last_votes_too_in_any_order():
    """20 neighbours of one class stand first; as many of another are as near."""
    train = torch.tensor([[1.0, 0.0]]).repeat(2 * NEIGHBOURS, 1)
    labels = np.repeat(np.array([0, 1], np.int32), NEIGHBOURS)
    for order in (labels, labels[::-1]):
        found = knn.votes(train[:1], train, order, 3, PUBLISHED)
        np.testing.assert_allclose(found, [[0.5, 0.5, 0]])


def test_the_nearest_counts_most_and_the_twenty_first_nothing():
    angles = np.linspace(0, 0.5, NEIGHBOURS + 1)
    train = torch.tensor(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    labels = np.array([0, *[1] * (NEIGHBOURS - 1), 2], np.int32)
    (found,) = knn.votes(train[:1], train, labels, 3, PUBLISHED)
    assert found[2] == 0
    weights = np.exp(np.cos(angles[:-1]) / TEMPERATURE)
    assert found[0] == pytest.approx(weights[0] / weights.sum())
