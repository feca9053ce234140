"""Logistic regression against scikit-learn's, and its gradient at the minimum by a plain loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from semtok.bench import logistic


def clouds(seed, count, width, classes):
    """Unit vectors around a direction of each class, which overlap."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(classes, size=count - classes)])
    centres = 1 + random.normal(size=(classes, width))
    vectors = centres[labels] + random.normal(size=(count, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return torch.tensor(vectors, dtype=torch.float32), torch.tensor(labels)


@settings(max_examples=12)
@given(
    st.integers(0, 10**6),
    st.integers(20, 90),
    st.integers(1, 7),
    st.integers(2, 5),
    st.sampled_from([1e-1, 1e-2, 1e-3]),
)
def test_it_is_that_of_scikit_learn(seed, count, width, classes, penalty):
    features, labels = clouds(seed, count, width, classes)
    found = logistic.fit(features, labels, classes, penalty)
    vectors = 2 if classes == 2 else 1  # it has one for both
    theirs = LogisticRegression(C=vectors / (penalty * count), tol=1e-9, max_iter=10_000)
    theirs.fit(features.double().numpy(), labels.numpy())
    shares = torch.softmax(found(features), dim=1).numpy()
    np.testing.assert_allclose(shares, theirs.predict_proba(features.double().numpy()), atol=2e-4)


def test_it_is_a_minimum():
    features, labels = clouds(1, 60, 4, 3)
    found = logistic.fit(features, labels, 3, 0.01)
    x, w, b = (each.double().numpy() for each in (features, found.weights, found.bias))
    own = labels.numpy()

    def loss(w, b):
        total = 0.0
        for row, label in zip(x, own, strict=True):
            logits = row @ w + b
            total += np.log(np.exp(logits).sum()) - logits[label]
        return total / len(x) + 0.005 * (w**2).sum()

    least = loss(w, b)
    random = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 1.0):
        for _ in range(5):
            moved = loss(w + size * random.normal(size=w.shape), b + size * random.normal(size=3))
            assert moved > least


def test_where_it_starts_from_is_of_no_matter():
    features, labels = clouds(2, 80, 5, 3)
    other = logistic.fit(features, labels, 3, 1.0)
    one, two = (logistic.fit(features, labels, 3, 0.01, start) for start in (None, other))
    torch.testing.assert_close(one(features), two(features), atol=1e-3, rtol=0)
    again = logistic.fit(features, labels, 3, 0.01)
    assert torch.equal(one.weights, again.weights) and torch.equal(one.bias, again.bias)


@pytest.mark.parametrize("counts", [(5, 5, 5), (9, 4, 2)])
def test_equal_vectors_tell_nothing_but_which_class_is_common(counts):
    labels = torch.tensor(np.repeat(np.arange(3), counts))
    features = torch.full((15, 4), 0.5)
    found = logistic.fit(features, labels, 3, 1e-3)
    shares = torch.softmax(found(features[:1]), dim=1)[0]
    torch.testing.assert_close(
        shares, torch.tensor(counts) / 15, check_dtype=False, atol=1e-4, rtol=0
    )
