"""Relations of Visual Genome among the masks that their boxes fit."""

import itertools
import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.data.visual_genome import RELATIONSHIPS
from semtok.errors import SemtokError
from semtok.extract.visual_genome import matched
from tests.extract.test_psg import triplets
from tests.visual_genome_files import image, relationship, write

BOXES = st.lists(
    st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 6)] * 2), unique=True, max_size=5
)
ONE = np.ones(4)


def overlap(one, other) -> float:
    """IoU by counting pixels."""
    pixels = [
        {(x, y) for x in range(box[0], box[0] + box[2]) for y in range(box[1], box[1] + box[3])}
        for box in (one, other)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])


@given(BOXES, BOXES, st.sampled_from([0.3, 0.5, 1.0]), st.randoms(use_true_random=False))
def test_each_box_is_the_mask_that_shares_most_with_it(ends, masks, least, shuffle):
    boxes = np.array(masks, np.float64).reshape(-1, 4)
    expected = {}
    for end in ends:
        shared = [overlap(end, mask) for mask in masks]
        if masks and max(shared) >= least:
            expected[end] = shared.index(max(shared))
    repeated = ends * 2
    shuffle.shuffle(repeated)
    assert matched(repeated, ONE, boxes, least) == expected


def test_two_boxes_of_one_thing_are_both_its_mask():
    man, again, horse = (10, 10, 100, 100), (11, 12, 99, 99), (10, 45, 100, 90)
    masks = np.array([man, horse], np.float64)
    assert matched([man, again], ONE, masks, 0.5) == {man: 0, again: 0}
    assert matched([man, again, horse], ONE, masks, 0.5) == {man: 0, again: 0, horse: 1}


#: Of image 1 (40 x 30), as Visual Genome might have it at 80 x 60: the boxes of both its masks (a
#: person in a square, a dog in a triangle), twice as large and a little off; and one of no mask.
PERSON, DOG, LAMP = (5, 4, 39, 35), (28, 21, 45, 35), (60, 0, 10, 12)
COAT = (5, 6, 38, 32)  # the person's, so large that its box is nearly the person's


@pytest.fixture
def genome(tiny):
    """The tiny root with instance masks and Visual Genome's relations of two of its images."""
    images = [image(2401, 1, 80, 60), image(2402, 2, 32, 24), image(2403, None, 9, 9)]
    rows = [
        relationship(11, "Next_to", DOG, PERSON),
        relationship(12, "ON", LAMP, PERSON),
        relationship(13, "is on", PERSON, DOG),
        relationship(14, "licking", DOG, PERSON),
        relationship(15, "on", DOG, DOG),
        relationship(16, "next to", DOG, PERSON),
        relationship(17, "next to", LAMP, LAMP),
        relationship(18, "on", COAT, PERSON),
    ]
    elsewhere = [relationship(21 + n, name, *[(0, 0, 9, 9)] * 2) for n, name in enumerate(NAMES)]
    write(tiny.root, images, {2401: rows, 2403: elsewhere}, aliases="on,is on\n")
    tiny.use(scene_graphs="visual_genome", visual_genome={"predicates": 2})
    tiny.allow(0.0)
    tiny.masks()
    return tiny


#: Predicates of an image that is not COCO's, which count all the same.
NAMES = ["near"] * 7 + ["on"] * 2 + ["next to", "under", "under", "under", "under"]


def test_ends_are_the_masks_that_their_boxes_fit(genome):
    """There are 7 of near, 6 of on, and 4 each of next to (first by the alphabet) and under."""
    genome.scene_graphs()
    assert triplets(genome) == [(1, "person", "on", "dog")]
    genome.use(scene_graphs="visual_genome", visual_genome={"predicates": 3})
    genome.scene_graphs()
    assert sorted(triplets(genome)) == [
        (1, "dog", "next to", "person"),
        (1, "person", "on", "dog"),
    ]
    rows = genome.rows("scene_graphs")
    assert {(row["score"], row["source"]) for row in rows} == {(1.0, "visual_genome")}


def test_what_is_left_out_is_listed_and_is_no_fault(genome):
    genome.use(scene_graphs="visual_genome", visual_genome={"predicates": 3})
    genome.scene_graphs()
    rejected = {
        (row["image_id"], row["source_id"], row["reason"])
        for row in genome.rejected("scene_graphs")
    }
    assert rejected == {
        (1, None, "says what another one says"),
        (1, 12, "no mask fits the box of an end"),
        (1, 14, "its predicate is none of the frequent ones"),
        (1, 15, "both ends are the same thing"),
        (1, 17, "both ends are the same thing"),
        (1, 18, "both ends are the same thing"),
        *((image_id, None, "not annotated") for image_id in (2, 3, 4, 5)),
    }


def test_boxes_that_fit_less_than_is_asked_for_are_none(genome):
    exact = {"predicates": 3, "overlap": 1.0}
    genome.use(scene_graphs="visual_genome", visual_genome=exact)
    genome.scene_graphs()
    assert triplets(genome) == []


def test_an_image_of_another_shape_is_set_aside(genome):
    write(
        genome.root,
        [image(2401, 1, 60, 60)],
        {2401: [relationship(11, "on", DOG, PERSON)] * 2},
    )
    with pytest.raises(SemtokError, match=r"annotated at 60 x 60 pixels, .* its 40 x 30; 1 of 1"):
        genome.scene_graphs()


@pytest.mark.parametrize("name", ["image_data.json", "relationships.json"])
def test_a_missing_file_is_named(genome, name):
    (genome.root / "annotations/visual_genome" / name).unlink()
    with pytest.raises(SemtokError, match=f"{name}: missing; put it there or choose another"):
        genome.scene_graphs()


def test_a_relation_edited_redoes_one_shard_and_the_order_of_rows_none(genome):
    genome.scene_graphs()
    path = genome.root / RELATIONSHIPS
    document = json.loads(path.read_text())
    document[1]["relationships"].append(relationship(31, "on", *[(0, 0, 9, 9)] * 2))
    path.write_text(json.dumps(document[::-1]))
    assert genome.scene_graphs() == 0
    document[0]["relationships"][2]["subject"]["x"] += 1
    path.write_text(json.dumps(document))
    assert genome.scene_graphs() == 1


def test_boxes_drawn_around_masks_of_coco_find_them_again(sample):
    """Real masks, each told by two boxes somewhat off in a smaller image, among boxes of parts."""
    sample.masks()
    rows = [row for row in sample.rows() if min(row["w"], row["h"]) >= 40]
    draw, right = random.Random(0), 0
    for _, group in itertools.groupby(rows, key=lambda row: row["image_id"]):
        masks = np.array([[row[side] for side in "xywh"] for row in group], np.float64)
        boxes = [tuple(side * 0.78 + draw.uniform(-2, 2) for side in mask) for mask in [*masks] * 2]
        parts = [(x, y, w / 3, h / 3) for x, y, w, h in boxes]
        found = matched(parts + boxes, np.full(4, 1 / 0.78), masks, overlap=0.5)
        right += sum(found.get(box) == at % len(masks) for at, box in enumerate(boxes))
    assert len(rows) > 500
    assert right >= 0.98 * 2 * len(rows)
