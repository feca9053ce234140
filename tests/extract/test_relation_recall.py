"""Recall of relations against a count of our own."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract.relation_recall import recall
from semtok.extract.scene_graphs import SCENE_GRAPHS

EVERYTHING = list(itertools.product((1, 2), (0, 1), (0, 1, 2), ("on", "holding", "beside")))


def table(rows) -> pa.Table:
    names = ("image_id", "subject", "object", "predicate", "score")
    documents = [{**dict(zip(names, row, strict=True)), "source": "x"} for row in rows]
    return pa.Table.from_pylist(documents, schema=SCENE_GRAPHS.columns)


def by_hand(found, wanted, cut: int, constrained: bool) -> tuple[float, float]:
    hits = set()
    for image in {row[0] for row in wanted}:
        rows = sorted((row for row in found if row[0] == image), key=lambda row: -row[4])
        if constrained:
            best = {}
            for row in rows:
                best.setdefault((row[1], row[2]), row)
            rows = sorted(best.values(), key=lambda row: -row[4])
        hits |= {row[:4] for row in rows[:cut]} & {row[:4] for row in wanted}

    def of(rows) -> float:
        images = {row[0] for row in rows}
        shares = [
            sum(row[:4] in hits for row in rows if row[0] == image)
            / sum(row[0] == image for row in rows)
            for image in images
        ]
        return sum(shares) / len(shares)

    predicates = {row[3] for row in wanted}
    means = [of([row for row in wanted if row[3] == name]) for name in predicates]
    return of(wanted), sum(means) / len(means)


@given(st.data())
def test_it_is_what_counting_gives(data):
    wanted = [(*row, 1.0) for row in data.draw(st.sets(st.sampled_from(EVERYTHING), min_size=1))]
    order = data.draw(st.permutations(EVERYTHING))[: data.draw(st.integers(0, 30))]
    found = [(*row, 1 / (2 + place)) for place, row in enumerate(order)]
    result = recall(table(found), table(wanted), cuts=(2, 5))
    for cut in (2, 5):
        for prefix, constrained in (("", True), ("ng-", False)):
            plain, mean = by_hand(found, wanted, cut, constrained)
            assert result[f"{prefix}R@{cut}"] == pytest.approx(plain)
            assert result[f"{prefix}mR@{cut}"] == pytest.approx(mean)


def test_nothing_wanted_is_nothing_found():
    assert set(recall(table([]), table([])).values()) == {0.0}
