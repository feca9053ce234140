"""Cohen's kappas of a variant's cases, computed anew: from tables of class by chosen class."""

import numpy as np
import polars as pl

from semtok.bench.cases import Task

_TRAINING = [*Task._fields, "seed"]

#: Metric -> the power of the distance between two classes.
KAPPAS = {"kappa": 0, "quadratic_kappa": 2}


def kappas(cases: pl.DataFrame) -> pl.DataFrame:
    """Each task and seed with its kappas.

    Args:
        cases: columns of `CASES`.

    Returns:
        The columns of `Task`, seed, and those of `KAPPAS` in percent; null where the task's
        candidates are no classes, the quadratic one also where these are no grades.
    """
    rows = [
        {**dict(zip(_TRAINING, key, strict=True)), **dict.fromkeys(KAPPAS)}
        | ({} if own["label"].null_count() else _of(own))
        for key, own in cases.group_by(_TRAINING, maintain_order=True)
    ]
    schema = {name: cases.schema[name] for name in _TRAINING}
    return pl.DataFrame(rows, {**schema, **dict.fromkeys(KAPPAS, pl.Float64)}, orient="row")


def _of(cases: pl.DataFrame) -> dict[str, float]:
    """Those of one task and seed."""
    pairs = cases.select("label", "chosen").to_numpy()
    side = int(pairs.max()) + 1
    table = np.zeros((side, side))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    apart = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    found = {}
    for name, power in KAPPAS.items():
        distances = apart**power * (apart > 0)
        most = (distances * by_chance).sum()
        if power == 0 or cases["ordered"][0]:
            found[name] = 100 * (1 - (distances * table).sum() / most) if most else 0.0
    return found
