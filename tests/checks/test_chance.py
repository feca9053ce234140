"""Chance against scipy's distributions."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, hypergeom

from semtok.checks.chance import against_chance, clearest

LIMITS = {"R@1": 1, "R@5": 5, "R@10": 10}


def cases(
    task: str, ranks: list[int], candidates: int, answers: int = 1, seed: int = 0
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "benchmark": "retrieval",
            "split": "val",
            "task": task,
            "seed": seed,
            "case_id": range(len(ranks)),
            "rank": ranks,
            "candidates": candidates,
            "answers": answers,
        }
    )


@pytest.mark.parametrize(
    ("task", "number", "candidates", "right"),
    [("text_to_image", 100, 20, 1), ("image_to_text", 20, 100, 5), ("choice", 40, 12, 1)],
)
def test_chance_is_the_hypergeometric_one_and_the_tail_binomial(
    task: str, number: int, candidates: int, right: int
) -> None:
    ranks = np.random.default_rng(0).integers(1, candidates + 1, number).tolist()
    rows = {
        row["metric"]: row
        for row in against_chance(cases(task, ranks, candidates, right)).to_dicts()
    }
    assert set(rows) == set(LIMITS)
    for metric, limit in LIMITS.items():
        chance = 1 - hypergeom.pmf(0, candidates, right, limit)
        hits = sum(rank <= limit for rank in ranks)
        tail = sum(binom.pmf(k, number, chance) for k in range(hits, number + 1))
        assert rows[metric]["hits"] == hits
        assert rows[metric]["chance"] == pytest.approx(chance)
        assert rows[metric]["chance_p_value"] == pytest.approx(tail)


def test_what_cannot_miss_is_not_judged() -> None:
    rows = against_chance(cases("text_to_image", [1, 2, 3], 5))
    assert rows["metric"].to_list() == ["R@1"]


def test_every_seed_stands_alone() -> None:
    good, bad = [1] * 30, [15] * 30
    both = pl.concat([cases("text_to_image", good, 30), cases("text_to_image", bad, 30, seed=1)])
    rows = against_chance(both).filter(pl.col("metric") == "R@5")
    assert dict(zip(rows["seed"], rows["hits"], strict=True)) == {0: 30, 1: 0}
    first, second = rows.sort("seed")["chance_p_value"]
    assert first < 1e-20
    assert second == 1


def test_guessing_is_rarely_called_better() -> None:
    random = np.random.default_rng(0)
    tails = [
        against_chance(cases("text_to_image", random.integers(1, 101, 500).tolist(), 100))
        for _ in range(40)
    ]
    assert (pl.concat(tails)["chance_p_value"] > 0.001).all()


def test_one_recall_far_beyond_chance_is_enough() -> None:
    # 30 of 100 cases within 10 of 500, none of them first: R@1 looks like guessing, R@10 does not.
    rows = against_chance(cases("text_to_image", [5] * 30 + [400] * 70, 500))
    assert rows.filter(pl.col("metric") == "R@1")["chance_p_value"].item() == 1
    best = clearest(rows)
    assert best.height == 1
    expected = 3 * min(binom.sf(29, 100, limit / 500) for limit in (5, 10))
    assert best["chance_p_value"].item() == pytest.approx(expected)


def test_the_choice_among_recalls_is_paid_for() -> None:
    rows = against_chance(cases("text_to_image", [1] + [499] * 99, 500))
    best = clearest(rows)["chance_p_value"].item()
    assert best == pytest.approx(3 * binom.sf(0, 100, 1 / 500))
