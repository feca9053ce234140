"""Chance and ceiling against observers who really shuffle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from semtok.bench.cases import METRICS, by_task, measure
from semtok.bench.guessing import bounds, expected, reached


def shuffled(ordered, answers, times, seed=0):
    """Ranks [times, N] of an observer who shuffles; the first `answers` of `ordered` are right."""
    random = np.random.default_rng(seed)
    return np.array(
        [
            [
                1 + min(random.permutation(n)[:right])
                for n, right in zip(ordered, answers, strict=True)
            ]
            for _ in range(times)
        ]
    )


@pytest.mark.parametrize(
    ("ordered", "answers"),
    [
        ([1] * 9, [1] * 9),
        ([3, 1, 8, 2, 40, 25, 1], [1] * 7),
        ([12, 60, 5, 9, 33], [5, 5, 5, 5, 4]),
        ([200] * 5, [1] * 5),
    ],
)
def test_expectations_are_what_shuffling_gives(ordered, answers):
    found = expected(np.array(ordered), np.array(answers))
    ranks = shuffled(ordered, answers, 4000)
    recalls = measure(ranks.reshape(1, -1))[0]
    for name, value in zip(METRICS[:3], recalls[:3], strict=True):
        assert found[name] == pytest.approx(value, abs=1.5)
    # The median of all cases of all shuffles, where it stands clear of its neighbours.
    assert found["median_rank"] == pytest.approx(np.median(ranks), rel=0.05)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1), st.integers(1, 12))
def test_the_chance_within_a_place_is_hypergeometric(cases, limit):
    ordered = np.array([max(pair) for pair in cases])
    answers = np.array([min(pair) for pair in cases])
    wanted = 1 - hypergeom.pmf(0, ordered, answers, np.minimum(limit, ordered))
    np.testing.assert_allclose(reached(ordered, answers, limit), wanted, atol=1e-9)


def test_a_single_answer_has_the_median_of_the_uniform_distribution():
    assert expected(np.full(7, 400), np.ones(7, np.int64))["median_rank"] == 200
    assert expected(np.full(7, 401), np.ones(7, np.int64))["median_rank"] == 201


def test_chance_orders_all_candidates_and_the_ceiling_what_is_true(make_cases):
    (ranks,) = by_task(make_cases({0: [1, 2, 3]}, candidates=50, answers=1, truths=4)).values()
    found = bounds(ranks)
    assert found.chance["R@5"] == pytest.approx(10)
    assert found.ceiling == pytest.approx({"R@1": 25, "R@5": 100, "R@10": 100, "median_rank": 2})


def test_where_all_that_is_true_is_right_the_ceiling_is_perfect(make_cases):
    (ranks,) = by_task(make_cases({0: [1, 2]}, candidates=50, answers=4, truths=4)).values()
    assert bounds(ranks).ceiling == {"R@1": 100, "R@5": 100, "R@10": 100, "median_rank": 1}


def test_without_truth_there_is_no_ceiling(make_cases):
    (ranks,) = by_task(make_cases({0: [1, 2]})).values()
    assert bounds(ranks).ceiling is None
