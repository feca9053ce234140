"""What guessing would score: the bound that a model has to clear."""

import numpy as np
import polars as pl

from semtok.bench import guessing
from semtok.bench.cases import RECALLS, Task

_GROUP = [*Task._fields, "seed"]

#: Of classes: the agreement that kappa expects, where what is chosen has nothing to do with images.
_AGREED = pl.col("said").sum() / pl.len().cast(pl.Float64).pow(2)


def against_chance(cases: pl.DataFrame) -> pl.DataFrame:
    """Compare every recall with that of a model that does not look at images.

    One that ranks at random; where candidates are classes, which may be unequally common, at R@1
    one that chooses each as often as the model does, regardless of the image (Cohen's kappa is 0),
    and beyond that one that names the commonest classes of every image.

    Args:
        cases: columns of `CASES`.

    Returns:
        One row a task, seed and recall that can miss: cases, hits, chance (the expected share of
        hits) and chance_p_value, the probability that guessing has that many hits or more
        (binomial).
    """
    from scipy.stats import binom

    candidates, answers = (cases[name].to_numpy() for name in ("candidates", "answers"))
    said = cases.drop_nulls("chosen").group_by([*_GROUP, "chosen"]).agg(said=pl.len())
    cases = cases.join(
        said.rename({"chosen": "label"}), on=[*_GROUP, "label"], how="left", maintain_order="left"
    )
    frames = []
    for name, limit in RECALLS.items():
        chance = guessing.reached(candidates, answers, limit)
        commonest = pl.col("label").unique_counts().sort(descending=True).head(limit).sum()
        frames.append(
            cases.with_columns(chance=pl.Series(chance))
            .group_by(_GROUP, maintain_order=True)
            .agg(
                metric=pl.lit(name),
                cases=pl.len(),
                hits=(pl.col("rank") <= limit).sum(),
                chance=pl.when(pl.col("label").is_null().any())
                .then(pl.col("chance").mean())
                .otherwise(_AGREED if limit == 1 else commonest / pl.len()),
            )
        )
    rows = pl.concat(frames).filter(pl.col("chance") < 1)
    hits, of, chance = (rows[name].to_numpy() for name in ("hits", "cases", "chance"))
    p_value = binom.sf(hits.astype(np.int64) - 1, of, chance)
    return rows.with_columns(chance_p_value=pl.Series(p_value, dtype=pl.Float64))


def clearest(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each task and seed the recall that differs most clearly from chance.

    On few cases a sound model may hit as rarely as guessing does at R@1 and be far beyond it at
    R@10; one that guesses is beyond it at none.

    Args:
        rows: as `against_chance` returns.

    Returns:
        One row a task and seed, its chance_p_value times the number of recalls it was chosen from
        (Bonferroni), 1 at most.
    """
    corrected = (pl.col("chance_p_value") * pl.len().over(_GROUP)).clip(upper_bound=1.0)
    return (
        rows.with_columns(chance_p_value=corrected)
        .sort("chance_p_value", maintain_order=True)
        .unique(_GROUP, keep="first", maintain_order=True)
    )
