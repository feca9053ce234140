"""Chance against scipy's distributions."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom, hypergeom
from sklearn.metrics import accuracy_score, cohen_kappa_score

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
            "label": pl.Series([None] * len(ranks), dtype=pl.Int32),
            "chosen": pl.Series([None] * len(ranks), dtype=pl.Int32),
        }
    )


def of_classes(labels: list[int], chosen: list[int], ranks: list[int], number: int) -> pl.DataFrame:
    """Cases whose candidates are so many classes."""
    columns = {
        name: pl.Series(each, dtype=pl.Int32)
        for name, each in (("label", labels), ("chosen", chosen))
    }
    return cases("class", ranks, number).with_columns(**columns)


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


#: 73 % are of one class of twelve, the others in equal shares.
UNEQUAL = [0] * 286 + [1 + n % 11 for n in range(110)]


def test_one_answer_for_all_images_is_chance_where_one_class_is_common() -> None:
    """As of a kNN or a probe of vectors that are all alike: the order of train's shares."""
    ranks = [1 + label for label in UNEQUAL]
    rows = against_chance(of_classes(UNEQUAL, [0] * len(UNEQUAL), ranks, 12))
    assert rows["chance"].to_list() == [
        pytest.approx(hits / len(UNEQUAL)) for hits in rows["hits"].to_list()
    ]
    assert (rows["chance_p_value"] > 0.4).all()


def test_chance_of_classes_is_where_kappa_is_nothing() -> None:
    random = np.random.default_rng(0)
    chosen = np.where(random.random(396) < 0.3, UNEQUAL, random.integers(12, size=396)).tolist()
    ranks = [1 if one == other else 12 for one, other in zip(UNEQUAL, chosen, strict=True)]
    rows = against_chance(of_classes(UNEQUAL, chosen, ranks, 12))
    accuracy, kappa = (score(UNEQUAL, chosen) for score in (accuracy_score, cohen_kappa_score))
    first = rows.filter(metric="R@1")
    assert first["chance"].item() == pytest.approx((accuracy - kappa) / (1 - kappa))
    # Rarer than the commonest class is said, and yet no guess.
    assert accuracy < 286 / 396
    assert first["chance_p_value"].item() < 1e-6
