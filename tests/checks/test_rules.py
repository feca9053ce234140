"""Counting the rows that break a rule."""

import polars as pl

from semtok.checks.rules import Rule, add, beside, count, share, there

NEGATIVE = Rule("negative", "nothing is below 0", pl.col("value") < 0)
LARGE = Rule("large", "nothing is above 9", pl.col("value") > 9)


def table(*values: int | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"name": [f"row {n}" for n in range(len(values))], "value": values},
        schema={"name": pl.String, "value": pl.Int64},
    )


def test_counts_and_the_first_row_at_fault() -> None:
    assert count(table(1, -2, 10, -3), (NEGATIVE, LARGE), ["name", "value"]).to_dicts() == [
        {
            "negative": 2,
            "negative_example": "name=row 1 value=-2",
            "large": 1,
            "large_example": "name=row 2 value=10",
        }
    ]


def test_what_is_unknown_is_at_fault() -> None:
    found = count(table(1, None), (NEGATIVE,), ["value"])
    assert found.row(0) == (1, "value=None")


def test_an_empty_table_has_no_faults_and_no_nulls_where_numbers_stand() -> None:
    found = count(table(), (NEGATIVE, LARGE), ["name"])
    assert found.select("negative", "large").row(0) == (0, 0)


def test_shards_add_up() -> None:
    parts = [count(table(*values), (NEGATIVE,), ["name"]) for values in ((1,), (-1, -1), (2, -1))]
    assert add(parts).row(0) == (3, "name=row 0")


def test_summaries_stand_beside_each_other() -> None:
    found = beside(count(table(1), (NEGATIVE,), ["name"]), share("bad", table(5, 6), 8))
    assert found.row(0) == (0, None, 0.25, "2 of 8, first name=row 0 value=5")


def test_a_share_of_nothing_is_none() -> None:
    assert share("bad", table(), 0).row(0) == (0.0, "0 of 0")


def test_wanted_rows_are_found_or_not() -> None:
    wanted = pl.DataFrame({"split": ["val", "test"], "seed": [0, 0]})
    found = pl.DataFrame({"seed": [0, 0, 1], "split": ["val", "val", "test"], "rank": [1, 2, 3]})
    assert there(wanted, found)["there"].to_list() == [True, False]
