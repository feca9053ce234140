"""How far names are from the annotated ones, by counts of hand."""

import polars as pl
import pytest

from semtok.checks.drift import category_drift, predicate_drift
from semtok.extract import annotated_categories, annotated_predicates
from semtok.extract.annotated_categories import UNNAMED


@pytest.mark.parametrize(
    ("measure", "name", "file", "what"),
    [
        (category_drift, "category_drift", annotated_categories.NAME, "masks"),
        (predicate_drift, "predicate_drift", annotated_predicates.NAME, "relations"),
    ],
)
def test_the_distance_is_half_the_sum_of_differences(tmp_path, measure, name, file, what):
    def drift(*found):
        return measure(tmp_path, pl.Series("anything", found, pl.String)).row(0, named=True)

    assert drift("cat")[name] == 0, "nothing is annotated"
    (tmp_path / file).write_text('{"cat": 3, "dog": 1}')
    some = drift("cat", "dog", "dog", "sky")
    assert some[name] == pytest.approx((abs(1 / 4 - 3 / 4) + abs(2 / 4 - 1 / 4) + 1 / 4) / 2)
    assert some[f"{name}_example"].startswith(f"cat: 0.250 of the {what}, 0.750")
    assert drift("cat", "cat", "cat", "dog")[name] == 0
    total = drift("sky", "sky")
    assert total[name] == 1, "no name is known"
    assert total[f"{name}_example"].startswith(f"sky: 1.000 of the {what}, 0.000")
    assert drift()[name] == 0


def test_what_names_nothing_is_not_held_to_it(tmp_path):
    (tmp_path / annotated_categories.NAME).write_text('{"cat": 3}')
    found = pl.Series("category", [UNNAMED] * 3)
    assert category_drift(tmp_path, found)["category_drift"].item() == 0
