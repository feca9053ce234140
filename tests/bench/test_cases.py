"""From tables of cases to metrics, and the refusal to compare different data."""

import numpy as np
import pyarrow as pa
import pytest

from semtok.bench.cases import CASES, Task, by_task, check_same_cases, measured, metrics
from semtok.errors import SemtokError
from tests.bench.conftest import valued_cases

TEST = Task("retrieval", "test", "text_to_image")


def test_metrics_are_means_over_seeds_in_percent(make_cases):
    cases = make_cases({0: [1, 2, 6, 11], 1: [1, 1, 1, 20]})
    assert metrics(cases) == {
        "retrieval": {
            "test": {"text_to_image": {"R@1": 50.0, "R@5": 62.5, "R@10": 75.0, "median_rank": 2.5}}
        }
    }


def test_rows_may_come_in_any_order(make_cases):
    cases = make_cases({0: [1, 2, 3, 4, 5], 1: [5, 4, 3, 2, 1]})
    shuffled = cases.take(np.random.default_rng(0).permutation(cases.num_rows))
    found = by_task(shuffled)[TEST]
    assert found.ranks.tolist() == [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]
    assert found.seeds == (0, 1)
    assert cases.schema == CASES.columns


def test_tasks_come_in_the_order_of_their_names(make_cases):
    """Arrow numbers groups as it meets them in blocks, so that a short one may come too late."""
    names = [f"{task}{part}" for task in "abc" for part in ("", *(f"/{n}" for n in range(5)))]
    sizes = [300, 7, 90, 1, 40, 2] * 3
    tables = [
        make_cases({0: [1] * size}, task=name, split=split)
        for split in ("test", "val")
        for name, size in zip(names, sizes, strict=True)
    ]
    found = [(each.split, each.task) for each in by_task(pa.concat_tables(tables))]
    assert found == [(split, name) for split in ("test", "val") for name in names]


def test_clusters_are_numbered_from_0(make_cases):
    found = by_task(make_cases({0: [1, 1, 1, 1]}, clusters=[900, 7, 900, 8]))[TEST]
    assert found.clusters.tolist() == [2, 0, 2, 1]


@pytest.mark.parametrize(
    ("ranks", "case_ids", "reason"),
    [
        ({0: [1, 1]}, [4, 4], "twice"),
        ({0: [1, 1, 1], 1: [1]}, None, "unequal"),
    ],
)
def test_broken_tables_are_refused(make_cases, ranks, case_ids, reason):
    with pytest.raises(SemtokError, match=reason):
        by_task(make_cases(ranks, case_ids=case_ids))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"case_ids": [1, 2, 4]}, "2 cases are in one of them only, 2 in both"),
        ({"clusters": [1, 1, 3]}, "the cases are clustered differently"),
        ({"candidates": 99}, "3 cases had other numbers of candidates"),
        ({"answers": 2}, "3 cases had other numbers of right answers"),
        ({"split": "val"}, "only a has retrieval test text_to_image"),
    ],
)
def test_scores_of_different_data_are_not_compared(make_cases, other, reason):
    settings = {"case_ids": [1, 2, 3], "clusters": [1, 2, 3], "candidates": 50, "split": "test"}
    a = by_task(make_cases({0: [1, 2, 3]}, **settings))
    b = by_task(make_cases({0: [1, 2, 3]}, **settings | other))
    with pytest.raises(SemtokError, match=reason):
        check_same_cases({"a": a, "b": b})


def test_scores_of_the_same_data_are_compared(make_cases):
    a, b = (by_task(make_cases({0: ranks})) for ranks in ([1, 2, 3], [3, 2, 1]))
    check_same_cases({"a": a, "b": b})


def test_a_task_with_groups_has_the_mean_of_their_recalls(make_cases):
    cases = make_cases({0: [1, 2, 1, 1, 2, 2], 1: [2, 2, 1, 1, 1, 1]}, candidates=2)
    grouped = cases.set_column(cases.column_names.index("group"), "group", [[*"aababc"] * 2])
    shares = [(2 / 3, 1 / 2, 0), (1 / 3, 2 / 2, 1)]
    wanted = 100 * np.mean([np.mean(each) for each in shares])
    found = metrics(grouped)["retrieval"]["test"]["text_to_image"]
    assert found == {"R@1": pytest.approx(wanted)}
    with pytest.raises(SemtokError, match="one of them only are grouped"):
        check_same_cases({"one": by_task(cases), "other": by_task(grouped)})
    others = cases.set_column(cases.column_names.index("group"), "group", [[*"aabacb"] * 2])
    with pytest.raises(SemtokError, match="grouped differently"):
        check_same_cases({"one": by_task(grouped), "other": by_task(others)})


def test_of_cases_with_values_there_is_the_mean_alone():
    values = {0: [10.0, -20.0, 40.0], 1: [0.0, 0.0, 6.0]}
    assert metrics(valued_cases(values)) == {
        "faithfulness": {"test": {"comprehensiveness": {"mean": pytest.approx(6.0)}}}
    }
    (found,) = by_task(valued_cases(values, loss=True)).values()
    assert measured(found) == ("mean_loss",)
    assert found.ranks.shape == (2, 0) and found.candidates.shape == found.answers.shape == (0,)


def test_the_mean_of_values_with_groups_is_the_mean_of_theirs():
    found = metrics(valued_cases({0: [1.0, 2.0, 3.0, 10.0]}, groups=[*"aaab"]))
    assert found["faithfulness"]["test"]["comprehensiveness"] == {"mean": pytest.approx(6.0)}


def test_a_task_has_ranks_or_values():
    cases = valued_cases({0: [1.0, 2.0, 3.0]})
    place = cases.column_names.index("value")
    with pytest.raises(SemtokError, match="comprehensiveness: a case has no value, others have"):
        by_task(cases.set_column(place, "value", pa.array([1.0, None, 3.0])))
    with pytest.raises(SemtokError, match="comprehensiveness: a case has no rank, others have"):
        by_task(cases.set_column(place, "value", pa.nulls(3, pa.float64())))


def test_values_and_losses_are_not_compared():
    values, losses = (by_task(valued_cases({0: [1.0]}, loss=loss)) for loss in (False, True))
    with pytest.raises(SemtokError, match="values, or losses, in one of them only"):
        check_same_cases({"a": values, "b": losses})
    check_same_cases({"a": values, "b": values})
