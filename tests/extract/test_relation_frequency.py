"""The frequency baseline against counting pair by pair."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract import relation_frequency
from semtok.extract.masks import MASKS
from semtok.extract.relation_recall import recall
from semtok.extract.scene_graphs import SCENE_GRAPHS

KNOWN, NEW = ("cat", "dog", "mat"), "bird"
PREDICATES = ("beside", "on")


def mask_table(images: dict[int, list[str]]) -> pa.Table:
    """Masks by the categories of each image."""
    rows = [
        dict.fromkeys(MASKS.columns.names)
        | {"image_id": image_id, "mask_id": number, "category": category}
        for image_id, categories in sorted(images.items())
        for number, category in enumerate(categories)
    ]
    return pa.Table.from_pylist(rows, schema=MASKS.columns)


def relation_table(rows: list[tuple[int, int, str, int, float]]) -> pa.Table:
    documents = [dict(zip(SCENE_GRAPHS.columns.names, (*row, "x"), strict=True)) for row in rows]
    return pa.Table.from_pylist(documents, schema=SCENE_GRAPHS.columns)


def possible(images: dict[int, list[str]]) -> list[tuple[int, int, str, int]]:
    """Every relation that could be stated."""
    return [
        (image_id, subject, predicate, object_)
        for image_id, categories in sorted(images.items())
        for subject, object_ in itertools.permutations(range(len(categories)), 2)
        for predicate in PREDICATES
    ]


def chance(
    images: dict[int, list[str]], stated: set[tuple], ends: tuple[str, str], predicate: str
) -> float:
    """How likely a predicate is between two categories, counted pair by pair."""
    pairs = [
        (image_id, subject, object_)
        for image_id, categories in images.items()
        for subject, object_ in itertools.permutations(range(len(categories)), 2)
    ]
    alike = [each for each in pairs if tuple(images[each[0]][end] for end in each[1:]) == ends]
    said = [(image, subject, predicate, other) in stated for image, subject, other in alike]
    of_any = sum(each[2] == predicate for each in stated) / len(pairs)
    return (sum(said) + of_any) / (len(alike) + 1)


IMAGES = st.lists(st.lists(st.sampled_from(KNOWN), max_size=4), min_size=1, max_size=3).map(
    lambda lists: {10 + number: each for number, each in enumerate([["cat", "mat"], *lists])}
)
OTHERS = st.lists(st.lists(st.sampled_from((*KNOWN, NEW)), max_size=4), max_size=3).map(
    lambda lists: {5 + 2 * number: each for number, each in enumerate(lists)}
)


@given(images=IMAGES, others=OTHERS, data=st.data(), cut=st.integers(1, 4))
def test_it_is_what_counting_gives(images, others, data, cut):
    stated = {
        (10, 0, "on", 1),
        (10, 0, "beside", 1),
        *data.draw(st.sets(st.sampled_from(possible(images)))),
    }
    counted = relation_frequency.count(
        mask_table(images), relation_table([(*each, 1.0) for each in sorted(stated)])
    )
    found = relation_frequency.state(counted, mask_table(others), cut)
    every = [
        (
            *each,
            chance(images, stated, (others[each[0]][each[1]], others[each[0]][each[3]]), each[2]),
        )
        for each in possible(others)
    ]
    scores = {row[:4]: np.float32(row[4]) for row in every}
    for row in found.to_pylist():
        key = (row["image_id"], row["subject"], row["predicate"], row["object"])
        assert row["score"] == pytest.approx(scores[key], rel=1e-6)
        assert row["source"] == "frequency"
    # What is left out is nothing that recall would have looked at.
    wanted = relation_table([(*each, 1.0) for each in possible(others)][::3])
    exact = {
        (row["image_id"], row["subject"], row["predicate"], row["object"]): row["score"]
        for row in relation_frequency.state(counted, mask_table(others), 10**6).to_pylist()
    }
    assert exact.keys() == scores.keys()
    whole = relation_table([(*key, score) for key, score in exact.items()])
    assert recall(found, wanted, (1, cut)) == recall(whole, wanted, (1, cut))


def test_the_last_id_is_an_image_as_any():
    stated = relation_table([(1, 0, "on", 1, 1.0)])
    counted = relation_frequency.count(mask_table({1: ["cat", "mat"]}), stated)
    one, last = (
        relation_frequency.state(counted, mask_table({image_id: ["mat", "cat"]}), 2)
        for image_id in (1, 2**63 - 1)
    )
    assert last["image_id"].unique().to_pylist() == [2**63 - 1]
    assert last.drop_columns("image_id").equals(one.drop_columns("image_id"))


def test_it_tells_what_categories_tell_and_no_more():
    images = {number: ["cat", "mat"] for number in range(5)}
    stated = [(number, 0, "on", 1, 1.0) for number in range(4)]
    stated += [(4, 0, "beside", 1, 1.0), (4, 1, "beside", 0, 1.0)]
    counted = relation_frequency.count(mask_table(images), relation_table(stated))
    found = relation_frequency.state(counted, mask_table({7: ["mat", "cat"]}), 2).to_pylist()
    best = max(found, key=lambda row: row["score"])
    assert (best["subject"], best["predicate"], best["object"]) == (1, "on", 0)
    assert best["score"] == pytest.approx((4 + 4 / 10) / (5 + 1))
