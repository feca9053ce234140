from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.tokens.permutation import permute
from semtok.tokens.rows import pack

COUNTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 8)), min_size=1, max_size=6)
NAMES = ["beside", "in front of", "on", "wearing"]


def images(rows):
    """Each image's relations: ends and predicates."""
    cuts = np.cumsum(rows.edge_counts)[:-1]
    ends, names = np.split(rows.edge_ends, cuts), np.split(rows.edge_predicate, cuts)
    return list(zip(ends, names, strict=True))


@pytest.fixture(scope="module")
def make(random_regions):
    """Rows of images with the given numbers of regions and relations."""

    def made(counts, seed=0, first_id=0):
        rng = np.random.default_rng(seed)
        sets = [random_regions(rng, *each) for each in counts]
        return pack(range(first_id, first_id + len(sets)), sets, NAMES)

    return made


@given(COUNTS, st.integers(0, 2**40))
def test_counts_stay_and_ends_stay_in_the_image(make, counts, seed):
    rows = make(counts)
    found = permute(rows, seed)
    np.testing.assert_array_equal(found.edge_counts, rows.edge_counts)
    assert found.edge_ends.dtype == rows.edge_ends.dtype
    for (regions, edges), (before, old), (after, new) in zip(
        counts, images(rows), images(found), strict=True
    ):
        assert Counter(old.tolist()) == Counter(new.tolist())
        if regions == 1:
            np.testing.assert_array_equal(before, after)
            continue
        assert ((after >= 0) & (after < regions)).all()
        assert (after[:, 0] != after[:, 1]).all()
        if edges <= regions * (regions - 1):
            assert len({tuple(pair) for pair in after.tolist()}) == edges


@given(COUNTS, st.integers(0, 9), st.data())
def test_an_image_gets_the_same_in_any_batch(make, counts, seed, data):
    rows = make(counts, first_id=40)
    order = data.draw(st.permutations(range(len(counts))))
    parts = images(rows)
    shuffled = replace(
        rows,
        image_ids=rows.image_ids[order],
        region_counts=rows.region_counts[order],
        edge_counts=rows.edge_counts[order],
        edge_ends=np.concatenate([parts[number][0] for number in order]),
        edge_predicate=np.concatenate([parts[number][1] for number in order]),
    )
    whole, again = images(permute(rows, seed)), images(permute(shuffled, seed))
    for place, number in enumerate(order):
        np.testing.assert_array_equal(whole[number][0], again[place][0])
        np.testing.assert_array_equal(whole[number][1], again[place][1])


def test_seeds_and_images_differ(make):
    rows = make([(6, 8)] * 3)
    for same in (permute(rows, 0), permute(rows, 1)):
        found = {tuple(map(tuple, ends.tolist())) for ends, _ in images(same)}
        assert len(found) == 3
    assert not np.array_equal(permute(rows, 0).edge_ends, permute(rows, 1).edge_ends)


def test_every_pair_and_every_order_is_as_likely(make):
    rows = make([(3, 3)] * 4000)
    rows = replace(rows, edge_predicate=np.tile([1, 2, 3], 4000))
    found = permute(rows, 0)
    # 12,000 draws of 6 pairs and 4,000 of 6 orders: five standard deviations around the mean.
    pairs = Counter(map(tuple, found.edge_ends.tolist()))
    assert len(pairs) == 6
    assert all(abs(count - 2000) < 5 * 41 for count in pairs.values())
    orders = Counter(map(tuple, found.edge_predicate.reshape(-1, 3).tolist()))
    assert len(orders) == 6
    assert all(abs(count - 667) < 5 * 24 for count in orders.values())
    # Which predicate a pair gets is open, too.
    both = zip(found.edge_ends.tolist(), found.edge_predicate.tolist(), strict=True)
    joint = Counter((*ends, predicate) for ends, predicate in both)
    assert len(joint) == 18
    assert all(abs(count - 667) < 5 * 25 for count in joint.values())
