"""Which annotated mask a found one stands for, against a count of our own on pixels."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract.matching import told_of
from semtok.extract.relation_recall import recall
from semtok.extract.scene_graphs import SCENE_GRAPHS
from tests.extract.test_average_precision import SIDE, box, table

BOXES = st.builds(
    lambda x, y, w, h: box(x, y, min(w, SIDE - x), min(h, SIDE - y)),
    *(st.integers(0, 8), st.integers(0, 8), st.integers(1, 8), st.integers(1, 8)),
)
MASKS = st.lists(st.tuples(st.sampled_from((3, 5)), BOXES), max_size=7)


def graph(*rows: tuple[int, int, str, int, float]) -> pa.Table:
    names = ("image_id", "subject", "predicate", "object", "score")
    documents = [{**dict(zip(names, row, strict=True)), "source": "x"} for row in rows]
    return pa.Table.from_pylist(documents, schema=SCENE_GRAPHS.columns)


def by_hand(found, wanted) -> dict[int, int]:
    """Each found mask, the likeliest first: the annotated one of its image it overlaps most."""
    pairs: dict[int, int] = {}
    for number, (image_id, mask, _) in enumerate(found):  # in the order of their scores
        overlaps = {
            at: (mask & truth).sum() / (mask | truth).sum()
            for at, (other, truth, _) in enumerate(wanted)
            if other == image_id and at not in pairs.values()
        }
        if overlaps and max(overlaps.values()) >= 0.5:
            pairs[number] = max(overlaps, key=overlaps.__getitem__)
    return pairs


@given(MASKS, MASKS, st.randoms(use_true_random=False))
def test_it_is_what_counting_pixels_gives(ours, theirs, random):
    found = [(image_id, mask, 1 - at / 10) for at, (image_id, mask) in enumerate(ours)]
    wanted = [(image_id, mask, 1.0) for image_id, mask in theirs]
    relations = graph(*((image, at, "on", at, 0.5) for at, (image, *_) in enumerate(found)))
    shuffled = table(found).take(pa.array(random.sample(range(len(found)), len(found)), pa.int64()))
    told = told_of(relations, shuffled, table(wanted))
    pairs = by_hand(found, wanted)
    expected = [pairs.get(at, -1 - at) for at in range(len(found))]
    assert told["subject"].to_pylist() == told["object"].to_pylist() == expected
    assert told.schema == SCENE_GRAPHS.columns


def test_a_relation_of_a_mask_that_stands_for_none_takes_its_place_and_is_wrong():
    wanted = table([(1, box(0, 0, 4, 4), 1.0), (1, box(6, 6, 4, 4), 1.0)])
    found = table([(1, box(6, 6, 4, 3), 0.9), (1, box(0, 0, 4, 4), 0.8), (1, box(0, 5, 3, 3), 0.7)])
    annotated = graph((1, 0, "on", 1, 1.0))
    told = told_of(graph((1, 2, "on", 0, 0.9), (1, 1, "on", 0, 0.8)), found, wanted)
    assert told.select(["subject", "object"]).to_pylist() == [
        {"subject": -3, "object": 1},
        {"subject": 0, "object": 1},
    ]
    assert recall(told, annotated, cuts=(1, 2))["R@1"] == 0
    assert recall(told, annotated, cuts=(1, 2))["R@2"] == 1


def test_found_again_nothing_changes(little_scenes):
    masks, relations = little_scenes.annotated("val")
    assert told_of(relations, masks, masks) == relations


def test_ids_are_the_annotated_ones_whatever_the_order_of_what_was_found():
    boxes = [box(0, 0, 4, 4), box(5, 0, 4, 4), box(0, 5, 4, 4)]
    wanted = table([(1, each, 1.0) for each in boxes])
    found = table([(1, each, 0.5 + at / 10) for at, each in enumerate(reversed(boxes))])
    told = told_of(graph((1, 0, "on", 2, 0.5)), found, wanted)
    assert (told["subject"].to_pylist(), told["object"].to_pylist()) == ([2], [0])
    assert np.array_equal(told["score"], graph((1, 0, "on", 2, 0.5))["score"])
