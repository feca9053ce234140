"""The gate of `leaderboard`: complete, equal to the scores that it is drawn from, and honest."""

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from semtok.bench import weights
from semtok.bench.cases import CASES, MEAN, MEAN_LOSS, MEDIAN_RANK, RANKED, RECALLS, Task
from semtok.bench.comparison import ALONE, OUTSIDE
from semtok.bench.leaderboard import LEADERBOARD, NAME
from semtok.bench.protocol import SEEDS_FOR_A_CLAIM
from semtok.checks.kappas import KAPPAS, kappas
from semtok.checks.rules import Rule, Suite, at_most, beside, count, none, there
from semtok.checks.subject import Subject
from semtok.tables import read_table

_TASK = list(Task._fields)
_ROW = [*_TASK, "metric", "variant"]
_FILES = (NAME, "leaderboard.md", "chart.png")

#: Means are summed in different orders.
_ROUNDING = 1e-9

#: Of values, by whether they are losses.
_MEANS = {MEAN: False, MEAN_LOSS: True}


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    block_difference: float = 0.0  # share by which parameters of blocks may differ (0..1)


#: What is no number has a rule of its own.
_FINITE = pl.col("value").is_finite().fill_null(False)


def _outside(name: str) -> pl.Expr:
    """An end that is null is unbounded or undefined, as is what it belongs to."""
    return (
        (pl.col(name) < pl.col(f"{name}_low") - _ROUNDING)
        | (pl.col(name) > pl.col(f"{name}_high") + _ROUNDING)
    ).fill_null(False)


def _differs(name: str, wanted: pl.Expr) -> pl.Expr:
    return (pl.col(name) - wanted).abs() > _ROUNDING * wanted.abs().clip(lower_bound=1)


#: Of ranks among few candidates R@1 alone is on the leaderboard, and of other tasks' metrics none.
_TELLING = (
    pl.when(pl.col("recomputed").is_null())
    .then(False)
    .when(pl.col("metric").is_in([*KAPPAS, *_MEANS]))
    .then(True)
    .otherwise(
        (pl.col("metric") == next(iter(RECALLS))) | (pl.col("candidates") > max(RECALLS.values()))
    )
)
#: Where the baseline was asked it has rows, or is missed.
_ALONE = pl.col("baseline_value").is_null()
_BETTER = pl.when(pl.col("metric").is_in([MEDIAN_RANK, MEAN_LOSS])).then(-1).otherwise(1)
_SIGN = (
    pl.when(pl.col("p_adjusted") > 1 - pl.col("confidence") + _ROUNDING)
    .then(0)
    .when(pl.col("points_low") > 0)
    .then(1)
    .when(pl.col("points_high") < 0)
    .then(-1)
    .otherwise(0)
) * _BETTER

_OF_A_ROW = (
    Rule(
        "duplicate_rows",
        "a variant has one row a task and metric",
        pl.struct(_ROW).is_duplicated(),
    ),
    Rule(
        "values_out_of_range",
        "recalls lie in 0..100, kappas in -100..100, median ranks from 1; means are finite",
        ~pl.when(pl.col("metric") == MEDIAN_RANK)
        .then((pl.col("value") >= 1) & pl.col("value").is_finite())
        .when(pl.col("metric").is_in(_MEANS))
        .then(pl.col("value").is_finite())
        .when(pl.col("metric").is_in([*KAPPAS]))
        .then(pl.col("value").is_between(-100 - _ROUNDING, 100))
        .otherwise(pl.col("value").is_between(0, 100)),
    ),
    Rule(
        "values_not_of_the_scores",
        "every value is what the variant's cases give",
        _FINITE & _differs("value", pl.col("recomputed")),
    ),
    Rule(
        "estimates_outside_interval",
        "every interval holds its estimate",
        _FINITE & (_outside("value") | _outside("points") | _outside("relative")),
    ),
    Rule(
        "wrong_points",
        "points are the variant's value minus the baseline's, and null for the baseline, and where "
        "it was not asked",
        pl.when((pl.col("variant") == pl.col("baseline")) | _ALONE)
        .then(pl.col("points").is_not_null())
        .otherwise(_FINITE & _differs("points", pl.col("value") - pl.col("baseline_value"))),
    ),
    Rule(
        "wrong_p_values",
        "p-values are adjusted by Holm among the variants of a task and metric, null for baselines "
        "and where they were not asked, and for outside models",
        pl.when((pl.col("variant") == pl.col("baseline")) | _ALONE | pl.col("outside"))
        .then(pl.col("p").is_not_null() | pl.col("p_adjusted").is_not_null())
        .otherwise(
            pl.col("p").is_between(0, 1, closed="right").not_().fill_null(True)
            | _differs("p_adjusted", pl.col("holm")).fill_null(True)
        ),
    ),
    Rule(
        "wrong_verdicts",
        "better and worse are said where the adjusted p-value and the interval of the points do, "
        "and never of outside models",
        pl.col("verdict")
        != pl.when(pl.col("variant") == pl.col("baseline"))
        .then(pl.lit("baseline"))
        .when(_ALONE)
        .then(pl.lit(ALONE))
        .when(pl.col("outside"))
        .then(pl.lit(OUTSIDE))
        .otherwise(
            _SIGN.replace_strict({1: "better", -1: "worse", 0: "undecided"}, return_dtype=pl.String)
        ),
    ),
    Rule(
        "unlabelled_smoke_runs",
        "what has too few seeds for a claim is called a smoke run",
        (pl.col("seeds") < SEEDS_FOR_A_CLAIM)
        & ~pl.col("label").str.contains("smoke run")
        & ~pl.col("outside"),
    ),
    Rule(
        "unequal_seeds",
        "all variants have the same number of seeds",
        (pl.col("seeds") != pl.col("seeds").max()) & ~pl.col("outside"),
    ),
    Rule(
        "missing_costs",
        "tokens, parameters, FLOPs and seconds are positive numbers; seconds of variants alone",
        ~pl.all_horizontal(
            (pl.col(name) > 0) & pl.col(name).cast(pl.Float64).is_finite()
            for name in (
                "tokens_per_image",
                "parameters_blocks",
                "parameters_embeddings",
                "flops_per_image",
            )
        )
        | pl.when(pl.col("outside"))
        .then(pl.col("training_seconds").is_not_null())
        .otherwise(~((pl.col("training_seconds") > 0) & pl.col("training_seconds").is_finite()))
        .fill_null(True),
    ),
    Rule(
        "wrong_kinds",
        "those of `models` and `remote_models`, no others, are outside models, without seeds",
        (pl.col("outside") != pl.col("is_model"))
        | (pl.col("seeds").is_null() != pl.col("is_model")),
    ),
    Rule(
        "wrong_weights",
        "rows of outside models, no others, name the weights that were scored",
        pl.col("weights").ne_missing(pl.col("scored_weights")),
    ),
)
_OF_RECALLS = (
    Rule(
        "recalls_out_of_order",
        "R@1 is at most R@5, and R@5 at most R@10",
        pl.any_horizontal(
            pl.col(small) > pl.col(large) for small, large in pairwise(RECALLS)
        ).fill_null(False),
    ),
)
_OF_A_WANTED_ROW = (
    Rule(
        "missing_rows",
        "every variant has a row a task and metric, against the baseline of params.yaml",
        ~pl.col("there"),
    ),
)
_SMALLEST_BLOCKS = pl.col("parameters_blocks") / pl.col("parameters_blocks").min() - 1
_OF_A_FILE = (Rule("missing_files", "table, text and chart are there", pl.col("bytes") == 0),)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the table, against the cases that it was drawn from."""
    params = subject.params
    baseline, models = params["bench"]["baseline"], [*params["models"], *params["remote_models"]]
    rows = pl.DataFrame(read_table(subject.artifact / NAME, LEADERBOARD))
    outside = [("outside_scores", each) for each in params["models"]]
    outside += [("remote_scores", each) for each in params["remote_models"]]
    scored = [*(("scores", each) for each in params["variants"]), *outside]
    recomputed = pl.concat([_measure(subject, *each) for each in scored])
    baselines = rows.filter(variant=baseline).unique([*_TASK, "metric"])
    baselines = baselines.select(*_TASK, "metric", baseline_value="value")
    judged = rows.join(recomputed, on=_ROW, how="left", maintain_order="left")
    judged = judged.join(baselines, on=[*_TASK, "metric"], how="left", maintain_order="left")
    variants = rows.filter(~pl.col("variant").is_in(models))
    judged = judged.join(_holm(variants), on=_ROW, how="left", maintain_order="left")
    judged = judged.with_columns(is_model=pl.col("variant").is_in(models))
    judged = judged.join(
        _weights(subject, outside), on="variant", how="left", maintain_order="left"
    )
    wanted = recomputed.select(*_ROW, baseline=pl.lit(baseline))
    recalls = (
        rows.filter(_FINITE)
        .group_by([*_TASK, "variant"], maintain_order=True)
        .agg(pl.col("value").filter(metric=name).first().alias(name) for name in RECALLS)
    )
    files = [{"file": name, "bytes": subject.bytes(name)} for name in _FILES]
    return {
        "rows": beside(
            count(judged, _OF_A_ROW, [*_ROW, "value", "points", "verdict"]),
            count(recalls, _OF_RECALLS, [*_TASK, "variant", *RECALLS]),
            count(there(wanted, rows), _OF_A_WANTED_ROW, [*_ROW, "baseline"]),
            count(pl.DataFrame(files), _OF_A_FILE, ["file", "bytes"]),
        ),
        "blocks": variants.select("variant", "parameters_blocks")
        .unique(maintain_order=True)
        .with_columns(block_difference=_SMALLEST_BLOCKS),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "rows": none(*_OF_A_ROW, *_OF_RECALLS, *_OF_A_WANTED_ROW, *_OF_A_FILE),
        "blocks": [
            at_most(
                "block_difference",
                settings.block_difference,
                "the transformer blocks of all variants have as many parameters",
            )
        ],
    }


def _holm(rows: pl.DataFrame) -> pl.DataFrame:
    """The p-values of each task and metric, adjusted anew: each times those that are not below."""
    family = [*_TASK, "metric"]
    above = pl.len().over(family) - pl.int_range(pl.len()).over(family)
    ascending = rows.drop_nulls("p").unique(_ROW).sort([*family, "p"])
    stepped = (pl.col("p") * above).clip(upper_bound=1)
    return ascending.select(*_ROW, holm=stepped.cum_max().over(family))


def _weights(subject: Subject, outside: list[tuple[str, str]]) -> pl.DataFrame:
    """Which weights the scores of each outside model are of."""
    found = {name: str(weights.read(subject.input(stage, name))) for stage, name in outside}
    text = pl.Series([*found.values()], dtype=pl.String)
    return pl.DataFrame({"variant": pl.Series([*found], dtype=pl.String), "scored_weights": text})


def _measure(subject: Subject, stage: str, variant: str) -> pl.DataFrame:
    """The metrics of a variant or model, computed anew from its cases: means over seeds."""
    path = subject.input(stage, variant) / "cases.parquet"
    ranks = pl.col("rank")
    found = {name: 100 * (ranks <= limit).mean() for name, limit in RECALLS.items()}
    for name, loss in _MEANS.items():
        found[name] = pl.col("value").filter(pl.col("loss") == loss).mean()
    averaged = pl.col(*RANKED, *_MEANS).mean()
    cases = pl.DataFrame(read_table(path, CASES))
    return (
        cases.with_columns(pl.col("rank").median().over([*_TASK, "seed"]).alias(MEDIAN_RANK))
        .group_by([*_TASK, "seed", "group"], maintain_order=True)
        .agg(
            **found,
            **{MEDIAN_RANK: pl.col(MEDIAN_RANK).first()},
            candidates=pl.col("candidates").max(),
        )
        .group_by([*_TASK, "seed"], maintain_order=True)
        .agg(averaged, pl.col("candidates").max())
        .join(kappas(cases), on=[*_TASK, "seed"], maintain_order="left")
        .group_by(_TASK, maintain_order=True)
        .agg(averaged, pl.col(*KAPPAS).mean(), pl.col("candidates").max())
        .unpivot(
            on=[*RANKED, *KAPPAS, *_MEANS],
            index=[*_TASK, "candidates"],
            variable_name="metric",
            value_name="recomputed",
        )
        .filter(_TELLING)
        .with_columns(variant=pl.lit(variant))
        .drop("candidates")
    )
