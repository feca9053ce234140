"""How far what a model names is from what the training annotations name."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from semtok.checks.rules import EXAMPLE
from semtok.extract import annotated_categories, annotated_predicates
from semtok.json_files import read_json


def category_drift(artifact: Path, found: pl.Series) -> pl.DataFrame:
    """`category_drift`: the distance of categories from the annotated ones, 0 to 1.

    It is 0 of a model that tells masks apart and names none.

    Args:
        artifact: masks, beside them the counts of the annotations where a model names its masks.
        found: [N] the category of each mask.

    Returns:
        One row: the distance, and the category that tells most of it.
    """
    named = found.filter(found != annotated_categories.UNNAMED)
    return _drift("category_drift", "masks", _counts(artifact / annotated_categories.NAME), named)


def predicate_drift(artifact: Path, found: pl.Series) -> pl.DataFrame:
    """`predicate_drift`: the distance of predicates from the annotated ones, 0 to 1.

    Args:
        artifact: scene graphs, beside them the counts of what the model learned from, where one
            found the relations.
        found: [N] the predicate of each relation.

    Returns:
        One row: the distance, and the predicate that tells most of it.
    """
    counts = _counts(artifact / annotated_predicates.NAME)
    return _drift("predicate_drift", "relations", counts, found)


def _counts(path: Path) -> dict[str, int]:
    return read_json(path) if path.exists() else {}


def _drift(name: str, what: str, counts: Mapping[str, int], found: pl.Series) -> pl.DataFrame:
    """The total variation distance between shares of names, found and annotated.

    A name that the annotations do not know has a share of 0 there, as one that is never found has
    among what was: where no name is known the distance is 1. It is 0 where nothing is annotated.
    """
    if not counts or found.is_empty():
        return _row(name, 0.0, "nothing is annotated, or nothing named")
    annotated = pl.DataFrame({"name": list(counts), "annotated": list(counts.values())})
    shares = (
        annotated.join(
            found.value_counts(name="found").rename({found.name: "name"}),
            on="name",
            how="full",
            coalesce=True,
        )
        .fill_null(0)
        .select(
            "name",
            pl.col("annotated") / pl.col("annotated").sum(),
            pl.col("found") / pl.col("found").sum(),
        )
    )
    gaps = shares.with_columns(gap=(pl.col("found") - pl.col("annotated")).abs())
    far = gaps.sort("gap", "name", descending=[True, False]).row(0, named=True)
    said = (
        f"{far['name']}: {far['found']:.3f} of the {what}, "
        f"{far['annotated']:.3f} of the annotations'"
    )
    return _row(name, float(gaps["gap"].sum()) / 2, said)


def _row(name: str, value: float, example: str) -> pl.DataFrame:
    return pl.DataFrame({name: [value], name + EXAMPLE: [example]})
