"""Which cases two variants answer most differently, against a plain loop."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench.cases import Ranks
from semtok.bench.differences import differences


def ranks_of(rows, clusters=None, candidates=50):
    ranks = np.array(rows, np.int64)
    count = ranks.shape[1]
    return Ranks(
        ranks=ranks,
        case_ids=100 + np.arange(count),
        clusters=np.arange(count) if clusters is None else np.array(clusters),
        candidates=np.full(count, candidates),
        answers=np.ones(count, np.int64),
        truths=None,
        seeds=tuple(range(len(rows))),
    )


def test_the_furthest_apart_come_first_each_way():
    one = ranks_of([[1, 1, 9, 5], [1, 2, 9, 5]])
    other = ranks_of([[1, 9, 1, 5], [2, 9, 3, 5]])
    gained, lost = differences(one, other, 5)
    assert [each.case_id for each in gained] == [102]
    assert [each.case_id for each in lost] == [101, 100]
    assert gained[0].ranks == ((9, 9), (1, 3))
    assert gained[0].candidates == 50


@given(
    st.lists(st.tuples(*[st.integers(1, 2)] * 5, st.integers(0, 4)), min_size=1, max_size=30),
    st.integers(1, 6),
)
def test_of_two_candidates_it_is_who_is_right_in_more_trainings(rows, count):
    """Two trainings of the one and three of the other; one case of each cluster."""
    *columns, clusters = map(list, zip(*rows, strict=True))
    one, other = ranks_of(columns[:2], clusters, 2), ranks_of(columns[2:], clusters, 2)
    gap = {}
    for number, (a, b, c, d, e, _) in enumerate(rows):
        gap[100 + number] = [c, d, e].count(1) / 3 - [a, b].count(1) / 2
    for way, sign in zip(differences(one, other, count), (1, -1), strict=True):
        shown = [each.case_id for each in way]
        gaps = [sign * gap[each] for each in shown]
        assert all(each > 0 for each in gaps) and gaps == sorted(gaps, reverse=True)
        owners = [clusters[each - 100] for each in shown]
        assert len(set(owners)) == len(owners)
        best = {}
        for case_id, value in gap.items():
            owner = clusters[case_id - 100]
            best[owner] = max(best.get(owner, 0), sign * value)
        wanted = sorted((value for value in best.values() if value > 0), reverse=True)
        np.testing.assert_allclose(gaps, wanted[:count])


def test_of_values_the_better_mean_is_ahead_and_of_losses_the_lower():
    empty = replace(ranks_of([[], []]), case_ids=np.arange(3), clusters=np.arange(3))
    one = replace(empty, values=np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]))
    other = replace(empty, values=np.array([[5.0, 2.0, 1.0], [1.0, 2.0, 3.0]]))
    gained, lost = differences(one, other, 5)
    assert [each.case_id for each in gained] == [0] and [each.case_id for each in lost] == [2]
    assert gained[0].candidates is None and gained[0].ranks == ((1.0, 1.0), (5.0, 1.0))
    gained, lost = differences(replace(one, loss=True), replace(other, loss=True), 5)
    assert [each.case_id for each in gained] == [2] and [each.case_id for each in lost] == [0]


def test_of_equal_cases_the_first_rows_are_not_favoured_and_it_is_always_the_same_ones():
    one, other = ranks_of([[2] * 60]), ranks_of([[1] * 60])
    shown = [each.case_id for each in differences(one, other, 6)[0]]
    assert shown == [each.case_id for each in differences(one, other, 6)[0]]
    assert shown != sorted(shown) and max(shown) > 110


def test_the_same_answers_show_nothing():
    same = ranks_of([[1, 2, 3]])
    assert differences(same, same, 3) == ([], [])
