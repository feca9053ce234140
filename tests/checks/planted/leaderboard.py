from collections.abc import Callable
from pathlib import Path

from semtok.bench.leaderboard import LEADERBOARD, NAME
from tests.checks.planted import Fault, editing, repeating
from tests.checks.tiny_line import Row

_TABLE = (NAME, LEADERBOARD)


def _row(metric: str, variant: str, **values: object) -> Callable[[Path], None]:
    """Set columns of one row of the first task."""

    def change(rows: list[Row]) -> None:
        row = next(each for each in rows if (each["metric"], each["variant"]) == (metric, variant))
        row |= values

    return editing(*_TABLE, change)


def _all(variant: str, **values: object) -> Callable[[Path], None]:
    def change(rows: list[Row]) -> None:
        for row in rows:
            if row["variant"] == variant:
                row |= values

    return editing(*_TABLE, change)


def _without(variant: str) -> Callable[[Path], None]:
    return editing(*_TABLE, lambda rows: [row for row in rows if row["variant"] != variant])


def _fault(
    name: str, plant: Callable[[Path], None], shows: str, also: set[str] | None = None
) -> Fault:
    return Fault("leaderboard", name, plant, shows, also or set())


def _falling(rows: list[Row]) -> None:
    """The baseline's R@5 below its R@1."""
    hit = next(row for row in rows if row["metric"] == "R@5")
    first = {name: hit[name] for name in ("benchmark", "split", "task")}
    grid, *others = (row for row in rows if row["metric"] == "R@5" and first.items() <= row.items())
    grid |= {"value": 25.0}
    for other in others:
        other |= {"points": other["value"] - 25.0}


def _less_of_a_loss(rows: list[Row]) -> None:
    row = next(row for row in rows if (row["metric"], row["variant"]) == ("mean_loss", "semantic"))
    row |= {name: row[name] - 1 for name in ("value", "value_low", "points", "points_low")}


def _no_hits_at_10(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["metric"] != "R@10"]


NAN = float("nan")
FAULTS = [
    _fault(
        "values_out_of_range",
        _row("mean", "semantic", value=NAN),
        "metric=mean variant=semantic value=nan",
    ),
    _fault(
        "values_not_of_the_scores",
        editing(*_TABLE, _less_of_a_loss),
        "metric=mean_loss variant=semantic value=",
    ),
    _fault("duplicate_rows", repeating(*_TABLE), "metric=mean variant=grid"),
    _fault(
        "values_out_of_range",
        _row("R@10", "semantic", value=100.5, value_high=101.0, points=0.5, points_high=1.0),
        "metric=R@10 variant=semantic value=100.5",
        {"values_not_of_the_scores"},
    ),
    _fault(
        "values_out_of_range",
        _row("median_rank", "semantic", value=0.5, value_low=0.5, points=-6.5, points_low=-7.0),
        "metric=median_rank variant=semantic value=0.5",
        {"values_not_of_the_scores"},
    ),
    _fault("values_out_of_range", _row("R@5", "semantic", value=NAN), "R@5 variant=semantic"),
    _fault("values_out_of_range", _row("R@5", "semantic", value=None), "R@5 variant=semantic"),
    _fault(
        "values_not_of_the_scores",
        _row("R@5", "semantic", value=94.0, points=64.0),
        "metric=R@5 variant=semantic value=94.0",
    ),
    _fault("estimates_outside_interval", _row("R@5", "semantic", value_high=93.0), "metric=R@5"),
    _fault("estimates_outside_interval", _row("R@1", "grid", value_low=61.0), "variant=grid"),
    _fault("estimates_outside_interval", _row("R@1", "semantic", points_low=65.0), "metric=R@1"),
    _fault("estimates_outside_interval", _row("R@1", "semantic", relative_high=1.0), "metric=R@1"),
    _fault("wrong_points", _row("R@1", "semantic", points=63.0), "variant=semantic"),
    _fault("wrong_points", _row("R@1", "semantic", points=None), "points=None"),
    _fault("wrong_points", _row("R@1", "grid", points=0.0), "variant=grid value=30.0 points=0.0"),
    _fault("wrong_verdicts", _row("R@1", "semantic", verdict="worse"), "verdict=worse"),
    _fault("wrong_verdicts", _row("R@1", "semantic", points_low=0.0), "verdict=better"),
    _fault("wrong_verdicts", _row("R@1", "semantic", p=0.2, p_adjusted=0.2), "verdict=better"),
    _fault("wrong_p_values", _row("R@5", "semantic", p=0.02), "metric=R@5 variant=semantic"),
    _fault("wrong_p_values", _row("R@5", "semantic", p_adjusted=None), "variant=semantic"),
    _fault("wrong_p_values", _row("R@1", "grid", p=0.5), "variant=grid"),
    _fault("wrong_verdicts", _row("R@1", "grid", verdict="better"), "variant=grid"),
    _fault("wrong_verdicts", _row("median_rank", "semantic", verdict="worse"), "points=-6.0"),
    _fault(
        "recalls_out_of_order",
        editing(*_TABLE, _falling),
        "variant=grid R@1=30.0 R@5=25.0",
        {"values_not_of_the_scores"},
    ),
    _fault("unlabelled_smoke_runs", _all("semantic", label=""), "variant=semantic"),
    _fault("unequal_seeds", _all("grid", seeds=1), "variant=grid"),
    _fault("missing_costs", _all("grid", flops_per_image=0), "variant=grid"),
    _fault("missing_costs", _all("grid", training_seconds=NAN), "variant=grid"),
    _fault("missing_costs", _all("grid", tokens_per_image=None), "variant=grid"),
    _fault("missing_costs", _all("own", flops_per_image=None), "variant=own"),
    _fault("missing_costs", _all("own", training_seconds=1.0), "variant=own"),
    _fault("wrong_kinds", _all("own", seeds=2), "variant=own"),
    _fault(
        "wrong_kinds",
        _all("own", outside=False),
        "variant=own",
        {"wrong_p_values", "wrong_verdicts", "missing_costs", "unequal_seeds"},
    ),
    _fault("wrong_weights", _all("own", weights=None), "variant=own"),
    _fault("wrong_weights", _all("hub", weights="CLIPModel, another one"), "variant=hub"),
    _fault("wrong_weights", _all("grid", weights="CLIPModel"), "variant=grid"),
    _fault("wrong_verdicts", _row("R@1", "own", verdict="better"), "variant=own"),
    _fault("wrong_p_values", _row("R@1", "own", p=0.01, p_adjusted=0.01), "variant=own"),
    _fault("wrong_points", _row("R@1", "own", points=None), "variant=own"),
    _fault("missing_rows", _without("own"), "metric=R@1 variant=own baseline=grid"),
    _fault("missing_rows", _without("semantic"), "metric=R@1 variant=semantic baseline=grid"),
    _fault("missing_rows", editing(*_TABLE, _no_hits_at_10), "metric=R@10 variant=grid"),
    _fault("missing_rows", _all("semantic", baseline="other"), "variant=semantic baseline=grid"),
    _fault("missing_files", lambda folder: (folder / "chart.png").unlink(), "file=chart.png"),
    _fault(
        "missing_files",
        lambda folder: (folder / "leaderboard.md").write_bytes(b"") and None,
        "file=leaderboard.md",
    ),
    _fault(
        "block_difference",
        _all("semantic", parameters_blocks=1030),
        "variant=semantic parameters_blocks=1030",
    ),
]
