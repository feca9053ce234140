"""Kappas and accuracy against scikit-learn, as they are and resampled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score

from semtok.bench.agreement import POWERS, kappas
from semtok.bench.cases import Ranks, measured, telling, values
from semtok.bench.intervals import resample

WEIGHTS = {"kappa": None, "quadratic_kappa": "quadratic"}


def of(labels, chosen, ordered=True, clusters=None):
    labels, chosen = np.asarray(labels), np.atleast_2d(chosen)
    count = len(labels)
    return Ranks(
        ranks=1 + 4 * (chosen != labels),
        case_ids=np.arange(count),
        clusters=np.arange(count)
        if clusters is None
        else np.unique(clusters, return_inverse=True)[1],
        candidates=np.full(count, 7),
        answers=np.ones(count, np.int64),
        truths=np.ones(count, np.int64),
        seeds=tuple(range(len(chosen))),
        labels=labels,
        chosen=chosen,
        ordered=ordered,
    )


def by_sklearn(labels, chosen):
    return {
        "R@1": 100 * accuracy_score(labels, chosen),
        **{
            name: 100 * cohen_kappa_score(labels, chosen, weights=weights, labels=range(7))
            for name, weights in WEIGHTS.items()
        },
    }


CLASSES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=60)


@settings(max_examples=30)
@given(CLASSES)
def test_accuracy_and_kappas_are_those_of_scikit_learn(pairs):
    labels, chosen = np.array(pairs).T
    ranks = of(labels, chosen)
    found = dict(zip(measured(ranks), values(ranks)[0], strict=True))
    if len({*labels, *chosen}) > 1:  # else scikit-learn has no kappa
        for name, wanted in by_sklearn(labels, chosen).items():
            assert found[name] == pytest.approx(wanted, abs=1e-6)
    else:
        assert [found[name] for name in POWERS] == [0, 0]


@settings(max_examples=30)
@given(CLASSES)
def test_linear_weights_are_a_distance_like_the_others(pairs):
    labels, chosen = np.array(pairs).T
    if len({*labels, *chosen}) > 1:
        found = kappas(labels, chosen[None], np.ones((1, len(labels))), [1]).item()
        wanted = 100 * cohen_kappa_score(labels, chosen, weights="linear", labels=range(7))
        assert found == pytest.approx(wanted, abs=1e-6)


def test_counts_are_repeated_cases():
    random = np.random.default_rng(0)
    labels, chosen = random.integers(0, 5, (2, 40))
    counts = random.integers(0, 4, (3, 40))
    found = kappas(labels, chosen[None], counts.astype(float))
    for number, times in enumerate(counts):
        again = by_sklearn(np.repeat(labels, times), np.repeat(chosen, times))
        assert found[number, 0] == pytest.approx([again[name] for name in POWERS], abs=1e-6)


def test_replicates_are_kappas_of_resampled_clusters():
    random = np.random.default_rng(1)
    labels, clusters = random.integers(0, 4, 30), random.integers(0, 3, 30)
    chosen = np.where(random.random((1, 30)) < 0.5, labels, random.integers(0, 4, (1, 30)))
    found = resample([of(labels, chosen, clusters=clusters)], 100)[0]
    possible = set()
    for drawn in np.ndindex(3, 3, 3):
        rows = np.concatenate([np.flatnonzero(clusters == each) for each in drawn])
        again = by_sklearn(labels[rows], chosen[0, rows])
        possible.add(tuple(round(again[name], 6) for name in ("R@1", *POWERS)))
    replicates = np.stack([found[name].replicates for name in ("R@1", *POWERS)], axis=1)
    assert {tuple(row) for row in replicates.round(6).tolist()} <= possible


def test_kappa_means_over_seeds_and_of_a_guesser_is_0():
    random = np.random.default_rng(2)
    labels = random.integers(0, 5, 4000)
    guesses = random.integers(0, 5, (2, 4000))
    own = of(labels, np.stack([labels, guesses[0]]))
    first, second = values(own)[:, -2:]
    assert first.tolist() == [100, 100]
    assert np.abs(second).max() < 5
    most = values(of(labels, np.zeros_like(labels)))[0, -2:]
    assert most == pytest.approx([0, 0], abs=1e-9)  # one class for all agrees as chance does


def test_the_quadratic_kappa_tells_of_grades_alone():
    labels = np.arange(6)
    assert telling(of(labels, labels)) == ("R@1", "kappa", "quadratic_kappa")
    assert telling(of(labels, labels, ordered=False)) == ("R@1", "kappa")
