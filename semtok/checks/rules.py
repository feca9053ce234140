"""Rules about the rows of a table: polars counts who breaks them, a suite judges the counts.

Great Expectations takes seconds over 100,000 rows and milliseconds over one. So every summary is
a small frame whose columns are named after what they count or measure, and an expectation bears
the name of its column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

#: What must hold of each summary, by the summary's name.
Suite: TypeAlias = "Mapping[str, Sequence[Expectation]]"

EXAMPLE = "_example"


@dataclass(frozen=True)
class Rule:
    """What must hold for each row of a table.

    Attributes:
        name: of the fault, e.g. `self_relations`; the count's column and the expectation's name.
        says: what holds where there is no fault.
        broken: true or null for a faulty row.
    """

    name: str
    says: str
    broken: pl.Expr


def count(rows: pl.DataFrame, rules: Sequence[Rule], show: Sequence[str]) -> pl.DataFrame:
    """Count the rows that break each rule.

    Args:
        rows: the table.
        rules: judged each on its own.
        show: columns that tell a person which row it is.

    Returns:
        One row: per rule the count, NAME (Int64), and the first such row, NAME_example (String).
    """
    broken = {rule.name: rule.broken.fill_null(True) for rule in rules}
    found = rows.select(
        *(expr.sum().alias(name) for name, expr in broken.items()),
        *(expr.arg_true().first().alias(name + EXAMPLE) for name, expr in broken.items()),
    ).row(0, named=True)
    shown = rows.select(show)
    columns = {}
    for rule in rules:
        first = found[rule.name + EXAMPLE]
        example = None if first is None else describe(shown.row(first, named=True))
        columns[rule.name] = pl.Series([found[rule.name]], dtype=pl.Int64)
        columns[rule.name + EXAMPLE] = pl.Series([example], dtype=pl.String)
    return pl.DataFrame(columns)


def share(name: str, faulty: pl.DataFrame, of: int) -> pl.DataFrame:
    """Which share of some rows is at fault: columns as `count` returns them, but a Float64."""
    first = f", first {describe(faulty.row(0, named=True))}" if len(faulty) else ""
    said = f"{len(faulty)} of {of}{first}"
    return pl.DataFrame({name: [len(faulty) / max(1, of)], name + EXAMPLE: [said]})


def add(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Join the counts of several shards: sums, and the first example."""
    rows = pl.concat(parts)
    return rows.select(
        pl.col(name).drop_nulls().first() if name.endswith(EXAMPLE) else pl.col(name).sum()
        for name in rows.columns
    )


def beside(*parts: pl.DataFrame) -> pl.DataFrame:
    """Join one-row summaries of different tables into one."""
    return pl.concat(parts, how="horizontal")


def among(frame: pl.DataFrame) -> pl.Expr:
    """Whether a row's `image_id` is one of a frame's."""
    return pl.col("image_id").is_in(frame["image_id"].implode())


def there(wanted: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The wanted rows and `there`: whether each is found."""
    known = found.select(wanted.columns).unique().with_columns(there=pl.lit(True))
    rows = wanted.join(known, on=wanted.columns, how="left", maintain_order="left")
    return rows.with_columns(pl.col("there").fill_null(False))


def describe(row: dict[str, object]) -> str:
    """A row in one line, e.g. `image_id=7 mask_id=0`."""
    return " ".join(f"{name}={value}" for name, value in row.items())


def none(*rules: Rule) -> "list[Expectation]":
    """Expect that no row breaks any of the rules."""
    return [at_most(rule.name, 0, rule.says) for rule in rules]


def at_most(column: str, limit: float, says: str) -> "Expectation":
    """Expect the largest value of a summary's column to be a number up to `limit`."""
    from great_expectations.expectations.core.expect_column_max_to_be_between import (
        ExpectColumnMaxToBeBetween,
    )

    return ExpectColumnMaxToBeBetween(column=column, max_value=limit, description=says)


def at_least(column: str, limit: float, says: str) -> "Expectation":
    """Expect the smallest value of a summary's column to be a number from `limit` up."""
    from great_expectations.expectations.core.expect_column_min_to_be_between import (
        ExpectColumnMinToBeBetween,
    )

    return ExpectColumnMinToBeBetween(column=column, min_value=limit, description=says)
