"""Points, gains and verdicts."""

import json

import pyarrow as pa
import pytest

from semtok.bench import protocol
from semtok.bench.comparison import compare, final_tasks
from semtok.errors import SemtokError
from tests.bench.conftest import valued_cases

GOOD, MIDDLING, BAD = [1] * 40 + [50] * 10, [1] * 12 + [50] * 38, [1] * 5 + [50] * 45


@pytest.fixture
def three(make_cases):
    ranks = {"good": GOOD, "middling": MIDDLING, "bad": BAD}
    return compare(
        {name: make_cases({0: each}) for name, each in ranks.items()}, "middling", 300, 0.95
    )


def row_of(comparison, metric, variant):
    return next(r for r in comparison.rows if (r.metric, r.variant) == (metric, variant))


def test_points_and_relative_gain(three):
    row = row_of(three, "R@1", "good")
    assert (row.value.estimate, row.points.estimate) == (80, 56)
    assert row.relative.estimate == pytest.approx(100 * (80 / 24 - 1))
    assert row.points.low < 56 < row.points.high


def test_a_result_against_us_is_shown_as_it_is(three):
    assert row_of(three, "R@1", "bad").points.estimate == -14
    assert row_of(three, "R@1", "bad").verdict == "worse"


@pytest.mark.parametrize(("lowest", "gain"), [(0.0, 100 * (450 / 300 - 1)), (-1.0, None)])
@pytest.mark.parametrize("loss", [False, True])
def test_means_have_a_relative_gain_where_no_case_is_below_zero(lowest, gain, loss):
    """As RSUM, which sums percentages; a ratio to what may be below 0 says nothing."""
    values = {"base": [0.0, 600.0, 300.0], "ours": [lowest, 600.0, 750.0 - lowest]}
    tables = {name: valued_cases({0: each}, loss=loss) for name, each in values.items()}
    found = compare(tables, "base", 50, 0.95)
    row = row_of(found, "mean_loss" if loss else "mean", "ours")
    assert row.points.estimate == pytest.approx(150)
    assert (row.relative and row.relative.estimate) == (gain and pytest.approx(gain))
    other = compare(tables, "ours", 50, 0.95)
    back = row_of(other, row.metric, "base").relative
    assert (back and back.estimate) == (gain and pytest.approx(100 * (300 / 450 - 1)))


def test_a_smaller_median_rank_is_better(make_cases):
    ranks = {"middling": [50] * 50, "good": GOOD, "bad": [80] * 50}
    found = compare({n: make_cases({0: r}) for n, r in ranks.items()}, "middling", 300, 0.95)
    assert row_of(found, "median_rank", "good").points.estimate == -49
    assert row_of(found, "median_rank", "good").verdict == "better"
    assert row_of(found, "median_rank", "bad").verdict == "worse"


def test_the_baseline_comes_first_and_is_compared_with_nothing(three):
    assert list(three.seeds) == ["middling", "good", "bad"]
    row = three.rows[0]
    assert (row.variant, row.points, row.relative, row.p, row.p_adjusted, row.verdict) == (
        "middling", None, None, None, None, "baseline",
    )  # fmt: skip


def test_p_values_are_adjusted_within_a_metric(three):
    for metric in ("R@1", "median_rank"):
        good, bad = (row_of(three, metric, name) for name in ("good", "bad"))
        low, high = sorted([good.p, bad.p])
        assert sorted([good.p_adjusted, bad.p_adjusted]) == [min(1, 2 * low), max(2 * low, high)]


def test_a_gain_that_luck_would_bring_to_one_of_many_is_undecided(make_cases):
    """The interval leaves 0 out; among 19 more comparisons, that says little."""
    ranks = [1] * 30 + [50] * 30
    better = [1] * 46 + [50] * 14
    tables = {"one": make_cases({0: ranks}), "gain": make_cases({0: better[::-1]})}
    pair = compare(tables, "one", 2000, 0.95, seed=1)
    alike = {f"alike_{number}": make_cases({0: ranks[::-1]}) for number in range(19)}
    many = compare(tables | alike, "one", 2000, 0.95, seed=1)
    alone, among = (row_of(found, "R@1", "gain") for found in (pair, many))
    assert alone.p == among.p == alone.p_adjusted
    assert alone.points.low > 0
    assert (alone.verdict, among.verdict) == ("better", "undecided")
    assert among.p_adjusted == min(1, 20 * among.p)
    assert among.points == alone.points


def test_what_the_interval_leaves_open_is_undecided(make_cases):
    ranks = {"one": [1, 50] * 10, "other": [50, 1] * 9 + [1, 1]}
    found = compare({n: make_cases({0: r}) for n, r in ranks.items()}, "one", 300, 0.95)
    assert row_of(found, "R@1", "other").verdict == "undecided"


def test_it_turns_into_json(three):
    text = json.dumps(three.as_dict(), allow_nan=False)
    (case,) = json.loads(text)["cases"]
    bounds = {name: case.pop(name) for name in ("chance", "ceiling", "blind")}
    assert case == {"benchmark": "retrieval", "split": "test", "task": "text_to_image", "cases": 50}
    assert bounds == {
        "chance": pytest.approx({"R@1": 0.1, "R@5": 0.5, "R@10": 1, "median_rank": 500}),
        "ceiling": None,
        "blind": None,
    }


@pytest.mark.parametrize(("seeds", "label"), [(1, "smoke run (1 seed; a claim needs 5)"), (5, "")])
def test_fewer_seeds_than_a_claim_needs_are_a_smoke_run(make_cases, seeds, label):
    many = make_cases(dict.fromkeys(range(5), GOOD))
    few = make_cases(dict.fromkeys(range(seeds), BAD))
    found = compare({"many": many, "few": few}, "many", 20, 0.95)
    assert (found.label, found.protocol) == (label, protocol.VERSION)


def test_final_numbers_are_those_of_test(make_cases):
    for splits, final in (
        (("val", "test"), ["test"]),
        (("train", "val"), ["val"]),
        (("val", "test", "novel"), ["test", "novel"]),
    ):
        both = pa.concat_tables([make_cases({0: GOOD}, split=split) for split in splits])
        found = compare({"one": both}, "one", 20, 0.95)
        assert [task.split for task in final_tasks(found)] == final


def test_a_baseline_without_scores_is_refused(make_cases):
    with pytest.raises(SemtokError, match="baseline vit: has no scores; there are those of one"):
        compare({"one": make_cases({0: GOOD})}, "vit", 20, 0.95)


def test_scores_of_different_data_are_refused(make_cases):
    cases = {"one": make_cases({0: GOOD}), "other": make_cases({0: GOOD[:-1]})}
    with pytest.raises(SemtokError, match="one and other were not scored on the same cases"):
        compare(cases, "one", 20, 0.95)


def test_a_model_trained_elsewhere_changes_nothing_for_variants(make_cases):
    tables = {"vit": make_cases({0: MIDDLING, 1: BAD}), "regions": make_cases({0: GOOD, 1: BAD})}
    alone = compare(tables, "vit", 300, 0.95)
    mine = {"mine": make_cases({0: GOOD})}
    found = compare(mine | tables, "vit", 300, 0.95, outside={"mine", "not compared"})
    assert [row for row in found.rows if row.variant != "mine"] == list(alone.rows)
    assert (found.seeds, found.label) == (alone.seeds, alone.label)
    assert (found.outside, found.names) == (("mine",), ["vit", "regions", "mine"])
    row = row_of(found, "R@1", "mine")
    assert (row.value.estimate, row.points.estimate) == (80, 80 - (24 + 10) / 2)
    assert row.points.low < row.points.estimate < row.points.high
    assert (row.p, row.p_adjusted, row.verdict) == (None, None, "outside")
    assert json.loads(json.dumps(found.as_dict()))["outside"] == ["mine"]


def test_a_model_trained_elsewhere_is_no_baseline(make_cases):
    tables = {name: make_cases({0: GOOD}) for name in ("vit", "mine")}
    with pytest.raises(SemtokError, match="baseline mine: was trained elsewhere"):
        compare(tables, "mine", 10, 0.95, outside={"mine"})


def test_a_model_trained_elsewhere_may_lack_what_it_could_not_be_asked_and_no_more(make_cases):
    def of(benchmark, task, ranks=GOOD):
        cases = make_cases({0: ranks}, task=task)
        return cases.set_column(0, "benchmark", pa.array([benchmark] * len(cases)))

    whole = pa.concat_tables([of("retrieval", "a"), of("retrieval", "b"), of("permuted", "a")])
    asked = pa.concat_tables([of("retrieval", "a"), of("retrieval", "b")])
    told = {"outside": {"mine"}, "unasked": {"mine": {"permuted": "it has no token shards"}}}
    found = compare({"vit": whole, "mine": asked}, "vit", 10, 0.95, **told)
    assert found.unasked == {"permuted": ("mine",)}
    assert {row.of[::2] for row in found.rows if row.variant == "mine"} == {
        ("retrieval", "a"),
        ("retrieval", "b"),
    }
    assert len(found.cases) == 3
    for other, fault in (
        (of("retrieval", "a"), "only vit has retrieval test b"),
        (pa.concat_tables([asked, of("more", "a")]), "only mine has more test a"),
        (pa.concat_tables([of("retrieval", "a"), of("retrieval", "b", GOOD[1:])]), "1 cases are"),
    ):
        with pytest.raises(SemtokError, match=fault):
            compare({"vit": whole, "mine": other}, "vit", 10, 0.95, **told)
    with pytest.raises(SemtokError, match="only vit has permuted test a"):
        compare({"vit": whole, "mine": asked}, "vit", 10, 0.95, outside={"mine"})
    with pytest.raises(SemtokError, match="only vit has permuted test a"):
        compare({"vit": whole, "regions": asked}, "vit", 10, 0.95)
