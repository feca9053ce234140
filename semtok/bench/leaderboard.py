"""All variants side by side, by the protocol: quality beside cost."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from semtok.bench import costs, unasked, weights
from semtok.bench.cases import CASES
from semtok.bench.comparison import Comparison, Row, compare
from semtok.bench.costs import Encoding
from semtok.bench.intervals import Interval
from semtok.bench.weights import Weights
from semtok.tables import TableSchema, read_table, write_table

NAME = "leaderboard.parquet"

#: One row a task, metric and variant, or model that was trained elsewhere; null where a number is
#: undefined or the baseline's own, or where nobody knows what a training elsewhere took.
LEADERBOARD = TableSchema(
    "leaderboard",
    7,
    pa.schema(
        [
            ("benchmark", pa.string()),
            ("split", pa.string()),
            ("task", pa.string()),
            ("metric", pa.string()),
            ("variant", pa.string()),
            ("baseline", pa.string()),
            ("value", pa.float64()),  # in percent; median ranks from 1
            ("value_low", pa.float64()),
            ("value_high", pa.float64()),
            ("points", pa.float64()),  # value - the baseline's
            ("points_low", pa.float64()),
            ("points_high", pa.float64()),
            ("relative", pa.float64()),  # value over the baseline's, minus 1, in percent
            ("relative_low", pa.float64()),
            ("relative_high", pa.float64()),
            ("p", pa.float64()),  # two-sided, of the points
            ("p_adjusted", pa.float64()),  # by Holm, among the variants of this task and metric
            ("verdict", pa.string()),  # baseline, better, worse, undecided, outside, alone
            ("outside", pa.bool_()),  # trained elsewhere, not under the protocol
            ("weights", pa.string()),  # which ones were scored (`weights.py`); null of variants
            ("chance", pa.float64()),  # the metric of one who guesses
            (
                "ceiling",
                pa.float64(),
            ),  # of a perfect observer; null where nobody knows what is true
            ("blind", pa.float64()),  # of the words alone; null where nobody asked
            ("cases", pa.int64()),
            ("seeds", pa.int32()),  # trainings; null where they were not ours
            ("tokens_per_image", pa.float64()),
            ("parameters_blocks", pa.int64()),
            ("parameters_embeddings", pa.int64()),
            ("parameters_bias", pa.int64()),
            ("parameters_text", pa.int64()),
            ("flops_per_image", pa.float64()),
            ("extraction_flops_per_image", pa.float64()),  # null where no model finds anything
            ("extraction_images", pa.int64()),  # with labels, that those models learned from
            ("training_seconds", pa.float64()),
            ("images_per_second", pa.float64()),  # of training; null where nobody measured it
            ("learning_rate", pa.float64()),
            ("confidence", pa.float64()),
            ("resamples", pa.int64()),
            ("protocol", pa.string()),
            ("label", pa.string()),  # `smoke run (...)`, or empty
        ]
    ),
)


@dataclass(frozen=True)
class Leaderboard:
    """A comparison, and what each of its variants and outside models costs.

    Attributes:
        comparison: of all.
        costs: of each variant.
        outside: of each model that was trained elsewhere.
        weights: which weights that model is of.
    """

    comparison: Comparison
    costs: Mapping[str, costs.Costs]
    outside: Mapping[str, Encoding] = field(default_factory=dict)
    weights: Mapping[str, Weights] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            **self.comparison.as_dict(),
            "costs": {name: asdict(each) for name, each in {**self.costs, **self.outside}.items()},
            "weights": {name: each.as_dict() for name, each in self.weights.items()},
        }


def build(
    scores: Mapping[str, Path],
    baseline: str,
    resamples: int,
    confidence: float,
    outside: Collection[str] = (),
) -> Leaderboard:
    """Compare scored variants, and models that were trained elsewhere.

    Args:
        scores: variant -> its `scores` artifact, in the order to be listed in.
        baseline: the variant that the others are compared with; it comes first.
        resamples: of each interval.
        confidence: of each interval, 0..1.
        outside: names of models that were trained elsewhere; they come last.

    Raises:
        SemtokError: scores are missing, or of different data.
    """
    cases = {name: read_table(folder / "cases.parquet", CASES) for name, folder in scores.items()}
    left_out = {name: unasked.read(folder) for name, folder in scores.items()}
    comparison = compare(cases, baseline, resamples, confidence, outside=outside, unasked=left_out)
    return Leaderboard(
        comparison,
        {name: costs.read(scores[name]) for name in comparison.seeds},
        {name: costs.read_outside(scores[name]) for name in comparison.outside},
        {name: weights.read(scores[name]) for name in comparison.outside},
    )


def history(scores: Path, seed: int) -> Path:
    """Where a `scores` artifact has the curves of one training."""
    return scores / f"history-seed-{seed}.parquet"


def write(board: Leaderboard, folder: Path) -> None:
    """Write `leaderboard.parquet` into a folder."""
    rows = pa.Table.from_pylist([_flat(board, row) for row in board.comparison.rows])
    write_table(folder / NAME, rows, LEADERBOARD)


def _flat(board: Leaderboard, row: Row) -> dict[str, Any]:
    comparison = board.comparison
    trained = board.costs.get(row.variant)
    cost = trained or board.outside[row.variant]
    bounds = comparison.bounds[row.of]
    extraction = trained.extraction if trained else None
    parameters = asdict(cost.parameters)
    parameters.pop("scale")
    return {
        "benchmark": row.benchmark,
        "split": row.split,
        "task": row.task,
        "metric": row.metric,
        "variant": row.variant,
        "baseline": comparison.baseline,
        **_ends("value", row.value),
        **_ends("points", row.points),
        **_ends("relative", row.relative),
        "p": row.p,
        "p_adjusted": row.p_adjusted,
        "verdict": row.verdict,
        "outside": row.variant in comparison.outside,
        "weights": str(board.weights[row.variant]) if row.variant in board.weights else None,
        "chance": bounds.chance.get(row.metric),
        "ceiling": bounds.ceiling[row.metric] if bounds.ceiling else None,
        "blind": bounds.blind[row.metric] if bounds.blind else None,
        "cases": comparison.cases[row.of],
        "seeds": comparison.seeds.get(row.variant),
        "tokens_per_image": cost.tokens_per_image,
        **{f"parameters_{role}": count for role, count in parameters.items()},
        "flops_per_image": cost.flops_per_image,
        "extraction_flops_per_image": extraction and extraction.flops_per_image,
        "extraction_images": extraction and extraction.images,
        "training_seconds": trained and trained.training_seconds,
        "images_per_second": trained and trained.images_per_second,
        "learning_rate": trained and trained.learning_rate,
        "confidence": comparison.confidence,
        "resamples": comparison.resamples,
        "protocol": comparison.protocol,
        "label": comparison.label,
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    each = interval or Interval(None, None, None)
    return {name: each.estimate, f"{name}_low": each.low, f"{name}_high": each.high}
