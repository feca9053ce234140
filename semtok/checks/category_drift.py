"""How far what a model names is from what the training annotations name."""

from pathlib import Path

import polars as pl

from semtok.checks.rules import EXAMPLE
from semtok.extract import annotated_categories
from semtok.json_files import read_json

_NAME = "category_drift"


def category_drift(artifact: Path, found: pl.Series) -> pl.DataFrame:
    """The total variation distance between the shares of categories, found and annotated, 0 to 1.

    A name that the annotations do not know has a share of 0 there, as one that is never found has
    among the masks: where no name is known the distance is 1. It is 0 where nothing is annotated,
    and of a model that tells regions apart and names none.

    Args:
        artifact: masks, beside them the counts of the annotations where a model names its masks.
        found: [N] the category of each mask.

    Returns:
        One row: the distance, and the category that tells most of it.
    """
    path = artifact / annotated_categories.NAME
    counts = read_json(path) if path.exists() else {}
    named = found.filter(found != annotated_categories.UNNAMED)
    if not counts or named.is_empty():
        return _row(0.0, "nothing is annotated, or nothing named")
    annotated = pl.DataFrame({"category": list(counts), "annotated": list(counts.values())})
    shares = (
        annotated.join(
            named.value_counts(name="found").rename({named.name: "category"}),
            on="category",
            how="full",
            coalesce=True,
        )
        .fill_null(0)
        .select(
            "category",
            pl.col("annotated") / pl.col("annotated").sum(),
            pl.col("found") / pl.col("found").sum(),
        )
    )
    gaps = shares.with_columns(gap=(pl.col("found") - pl.col("annotated")).abs())
    far = gaps.sort("gap", "category", descending=[True, False]).row(0, named=True)
    said = (
        f"{far['category']}: {far['found']:.3f} of the masks, "
        f"{far['annotated']:.3f} of the annotations'"
    )
    return _row(float(gaps["gap"].sum()) / 2, said)


def _row(value: float, example: str) -> pl.DataFrame:
    return pl.DataFrame({_NAME: [value], _NAME + EXAMPLE: [example]})
