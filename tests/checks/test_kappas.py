"""The gate's own kappas against scikit-learn."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from semtok.checks.kappas import kappas


def cases(seed: int, ordered: bool) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    label, chosen = random.integers(0, 5, (2, 50))
    return pl.DataFrame(
        {"label": label, "chosen": np.where(random.random(50) < 0.5, label, chosen)}
    ).select(
        pl.lit("classification").alias("benchmark"),
        pl.lit("test").alias("split"),
        pl.lit("class").alias("task"),
        pl.lit(seed).alias("seed"),
        *("label", "chosen"),
        pl.lit(ordered).alias("ordered"),
    )


@pytest.mark.parametrize("ordered", [True, False])
def test_each_training_has_its_kappas(ordered: bool) -> None:
    both = [cases(0, ordered), cases(1, ordered)]
    retrieval = both[0].with_columns(
        pl.lit("retrieval").alias("benchmark"),
        *(pl.lit(None, both[0].schema[name]).alias(name) for name in ("label", "ordered")),
    )
    found = kappas(pl.concat([both[1], retrieval, both[0]]))
    assert found.filter(benchmark="retrieval")["kappa"].to_list() == [None]
    for seed, rows in enumerate(both):
        own = found.filter(benchmark="classification", seed=seed)
        sides = rows["label"].to_numpy(), rows["chosen"].to_numpy()
        wanted = 100 * cohen_kappa_score(*sides, labels=range(5))
        assert own["kappa"].item() == pytest.approx(wanted, abs=1e-9)
        graded = 100 * cohen_kappa_score(*sides, weights="quadratic", labels=range(5))
        assert own["quadratic_kappa"].item() == (
            pytest.approx(graded, abs=1e-9) if ordered else None
        )
