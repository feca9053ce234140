"""Thresholds against scikit-learn on every candidate, and what sure and clueless scorers get."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import recall_score

from semtok.bench.folds import folds_of
from semtok.bench.thresholds import halves_of, judged, threshold

ROWS = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30)


def tried(values, true):
    """Each threshold between two neighbours, and the balanced accuracy that it reaches."""
    steps = sorted(set(values.tolist()))
    middles = [(a + b) / 2 for a, b in pairwise(steps)]
    return {
        each: recall_score(true, values > each, average="macro", labels=(0, 1)) for each in middles
    }


@given(ROWS)
def test_no_threshold_is_better(rows):
    values, true = np.array([v for v, _ in rows]) / 8, np.array([t for _, t in rows])
    found = threshold(values, true)
    if true.all() or not true.any() or np.ptp(values) == 0:
        assert found is None
        return
    known = tried(values, true)
    best = [each for each, share in known.items() if share > max(known.values()) - 1e-9]
    assert found == best[len(best) // 2]


@given(ROWS, st.randoms())
def test_the_order_of_rows_is_of_no_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    one, other = (
        threshold(np.array([v for v, _ in each]) / 8, np.array([t for _, t in each]))
        for each in (rows, shuffled)
    )
    assert one == other


@given(ROWS, st.integers(0, 99))
def test_each_half_is_judged_by_the_other_alone(rows, salt):
    values, true = np.array([v for v, _ in rows]) / 8, np.array([t for _, t in rows])
    halves = folds_of(100 * salt + np.arange(len(rows)), 2)
    found = judged(values, true, halves)
    for half in (0, 1):
        limit = threshold(values[halves != half], true[halves != half])
        for place in np.flatnonzero(halves == half):
            assert found[place] == (
                limit is not None
                and (values[place] > limit if true[place] else values[place] < limit)
            )


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcdefghijkl")), min_size=1))
def test_what_shares_an_image_or_a_caption_is_in_one_half(pairs):
    images, captions = np.array([i for i, _ in pairs]) * 1000, [c for _, c in pairs]
    graph = coo_array(
        (np.ones(len(pairs)), (images // 1000, [ord(c) - 80 for c in captions])), (40, 40)
    )
    _, parts = connected_components(graph, directed=False)
    halves = halves_of(images, captions)
    for part in set(parts[images // 1000].tolist()):
        here = parts[images // 1000] == part
        assert len(set(halves[here].tolist())) == 1
    # Filled from the largest part on, they differ by what came last, and so by no more than it has.
    sizes = [sum(parts[images // 1000] == part) for part in set(parts[images // 1000].tolist())]
    assert abs(np.sum(halves == 0) - np.sum(halves == 1)) <= max(sizes)
    shuffled = np.random.default_rng(0).permutation(len(pairs))
    again = halves_of(images[shuffled], [captions[each] for each in shuffled])
    np.testing.assert_array_equal(again, halves[shuffled])


def test_halves_are_equal_where_parts_allow():
    """A part of 50 cases, and 50 of one: by their ids alone they would fall anyhow."""
    images = np.array([*[7] * 50, *range(100, 150)])
    halves = halves_of(images, [str(each) for each in range(100)])
    assert sorted(np.bincount(halves).tolist()) == [50, 50]
    assert len(set(halves[:50].tolist())) == 1


TRUE = np.random.default_rng(0).random(2000) < 0.7
HALVES = folds_of(np.arange(2000) // 3, 2)


def balanced(right):
    return np.mean([right[TRUE].mean(), right[~TRUE].mean()])


def test_one_who_knows_is_right_and_one_who_cannot_tell_is_not():
    assert judged(TRUE / 2, TRUE, HALVES).all()
    assert judged(np.random.default_rng(1).normal(size=2000) + 9 * TRUE, TRUE, HALVES).mean() > 0.98
    assert not judged(np.full(2000, 0.3), TRUE, HALVES).any()
    # What equal similarities differ by, summed in another order, tells nothing either.
    rounding = np.random.default_rng(2).normal(size=2000) * 1e-15
    assert not judged(0.3 + rounding, TRUE, HALVES).any()


@pytest.mark.parametrize("seed", range(3))
def test_chance_is_one_in_two_however_many_are_true(seed):
    right = judged(np.random.default_rng(seed).normal(size=2000), TRUE, HALVES)
    assert balanced(right) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4 * 2000 * 0.3 * 0.7))


def test_where_the_other_half_has_one_answer_alone_all_are_missed():
    true = TRUE & (HALVES == 0)
    assert not judged(true / 2, true, HALVES)[HALVES == 0].any()


def test_words_alone_and_images_alone_are_worth_exactly_nothing():
    """Where each caption is true of one image and false of another, and the other way round."""
    random = np.random.default_rng(0)
    images, captions, true = [], [], []
    for pair in range(300):
        texts = [f"{random.integers(400)} {end}" for end in "ab"]
        for number in (0, 1):
            for other in (0, 1):
                images.append(2 * pair + number)
                captions.append(texts[other])
                true.append(number == other)
    true = np.array(true)
    halves = halves_of(np.array(images), captions)
    assert 0.3 < halves.mean() < 0.7
    for seed in range(5):
        random = np.random.default_rng(seed)
        for owners in (captions, images):
            value = {each: random.normal() for each in sorted(set(owners))}
            right = judged(np.array([value[each] for each in owners]), true, halves)
            assert right[true].sum() + right[~true].sum() == true.sum()


def test_halves_are_of_an_id_alone_and_of_about_equal_size():
    ids = np.arange(5000)
    halves = folds_of(ids, 2)
    assert set(halves.tolist()) == {0, 1}
    assert abs(halves.mean() - 0.5) < 0.03
    np.testing.assert_array_equal(folds_of(ids[::-7], 2), halves[::-7])
    assert set(folds_of(ids, 5).tolist()) == set(range(5))
