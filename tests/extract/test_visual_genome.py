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


def most(ends, masks, least) -> float:
    """What boxes and masks share at most, one to one, by trying every way."""
    few, many = sorted((ends, masks), key=len)
    table = [[overlap(a, b) for b in many] for a in few]
    allowed = [[each if each >= least else 0.0 for each in row] for row in table]
    ways = itertools.permutations(range(len(many)), len(few))
    return max(sum(allowed[at][place] for at, place in enumerate(way)) for way in ways)


@given(BOXES, BOXES, st.sampled_from([0.3, 0.5, 1.0]), st.randoms(use_true_random=False))
def test_all_together_share_most_and_none_is_taken_twice(ends, masks, least, shuffle):
    boxes = np.array(masks, np.float64).reshape(-1, 4)
    found = matched(ends, ONE, boxes, least)
    shared = [overlap(end, masks[place]) for end, place in found.items()]
    assert len(set(found.values())) == len(found)
    assert all(each >= least for each in shared)
    assert sum(shared) == pytest.approx(most(ends, masks, least))
    repeated = ends * 2
    shuffle.shuffle(repeated)
    assert matched(repeated, ONE, boxes, least) == found


def test_of_two_ways_that_are_as_good_the_boxes_themselves_choose():
    ends = [(0, 0, 4, 4), (4, 0, 4, 4)]
    between = np.array([[2, 0, 4, 4]], np.float64)
    found = matched(ends, ONE, between, 0.1)
    assert len(found) == 1
    assert matched(ends[::-1], ONE, between, 0.1) == found


#: Of image 1 (40 x 30), as Visual Genome might have it at 80 x 60: the boxes of both its masks (a
#: person in a square, a dog in a triangle), twice as large and a little off; and one of no mask.
PERSON, DOG, LAMP = (5, 4, 39, 35), (28, 21, 45, 35), (60, 0, 10, 12)


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
    ]
    elsewhere = [relationship(21 + n, name, *[(0, 0, 9, 9)] * 2) for n, name in enumerate(NAMES)]
    write(tiny.root, images, {2401: rows, 2403: elsewhere}, aliases="on,is on\n")
    tiny.use(scene_graphs="visual_genome", visual_genome={"predicates": 2})
    tiny.allow(0.0)
    tiny.masks()
    return tiny


#: Predicates of an image that is not COCO's, which count all the same.
NAMES = ["near"] * 7 + ["on"] * 3 + ["next to", "under", "under", "under", "under"]


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
        (1, 15, "both ends have the same box"),
        (1, 17, "both ends have the same box"),
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
    """Real masks, each told by a box some pixels off in a smaller image, among boxes of parts."""
    sample.masks()
    rows = [row for row in sample.rows() if min(row["w"], row["h"]) >= 40]
    draw, right = random.Random(0), 0
    for _, group in itertools.groupby(rows, key=lambda row: row["image_id"]):
        masks = np.array([[row[side] for side in "xywh"] for row in group], np.float64)
        boxes = [tuple(side * 0.78 + draw.uniform(-2, 2) for side in mask) for mask in masks]
        parts = [(x, y, w / 3, h / 3) for x, y, w, h in boxes]
        found = matched(parts + boxes, np.full(4, 1 / 0.78), masks, overlap=0.5)
        right += sum(found.get(box) == place for place, box in enumerate(boxes))
    assert len(rows) > 500
    assert right >= 0.98 * len(rows)
