"""Relations of psg.json among panoptic masks."""

import pytest

from semtok.errors import SemtokError
from semtok.extract import backends


@pytest.fixture
def psg(tiny):
    """The tiny root with panoptic masks and PSG's relations."""
    tiny.use(masks="panoptic", scene_graphs="psg")
    tiny.allow(0.0)
    tiny.masks()
    return tiny


def triplets(extraction):
    """(image, subject's category, predicate, object's category) of every relation."""
    names = {(row["image_id"], row["mask_id"]): row["category"] for row in extraction.rows()}
    return [
        (
            row["image_id"],
            names[row["image_id"], row["subject"]],
            row["predicate"],
            names[row["image_id"], row["object"]],
        )
        for row in extraction.rows("scene_graphs")
    ]


def test_ends_are_found_by_their_segment_whatever_the_order_of_masks(psg):
    psg.scene_graphs()
    assert sorted(triplets(psg)) == [
        (1, "dog", "beside", "person"),
        (1, "dog", "in front of", "person"),
        (1, "dog", "standing on", "floor"),
        (1, "person", "standing on", "floor"),
    ]
    rows = psg.rows("scene_graphs")
    keys = [(r["image_id"], r["subject"], r["object"], r["predicate"]) for r in rows]
    assert keys == sorted(keys)
    assert {(row["score"], row["source"]) for row in rows} == {(1.0, "psg")}


def test_what_is_said_twice_or_of_a_crowd_is_listed_and_is_no_fault(psg):
    psg.scene_graphs()
    rejected = {
        (row["image_id"], row["source_id"], row["reason"]) for row in psg.rejected("scene_graphs")
    }
    assert rejected == {
        (1, None, "says what another one says"),
        (2, 0, "depends on what was set aside"),
        (3, None, "not annotated"),
        (4, None, "not annotated"),
        (5, None, "not annotated"),
    }


@pytest.mark.parametrize(
    ("triplet", "reason"),
    [
        ([0, 3, 0], "an end of relation [0, 3, 0] is not in segments_info"),
        ([-1, 1, 0], "an end of relation [-1, 1, 0] is not in segments_info"),
        ([0, 1, 3], "the predicate of relation [0, 1, 3] is not in predicate_classes"),
        ([1, 1, 0], "relation [1, 1, 0] is of a segment with itself"),
    ],
)
def test_a_bad_relation_is_set_aside_with_its_reason(psg, triplet, reason):
    psg.edit("psg", lambda document: document["data"][0]["relations"].append(triplet))
    psg.allow(0.5)
    psg.scene_graphs()
    faults = [row for row in psg.rejected("scene_graphs") if row["reason"] == reason]
    assert [(row["image_id"], row["source_id"], row["file"]) for row in faults] == [
        (1, 5, "annotations/psg.json")
    ]
    assert len(triplets(psg)) == 4
    psg.allow(0.1)
    with pytest.raises(SemtokError, match="1 of 5 relations were set aside"):
        psg.scene_graphs()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.pop("predicate_classes"), "predicate_classes: expected a list of names"),
        (
            lambda d: d.update(predicate_classes=["on", "\ud83d", "by"]),
            "predicate_classes: a name is not UTF-8; correct it",
        ),
        (lambda d: d["data"][0].pop("relations"), r"data\[0\].relations: missing"),
        (
            lambda d: d["data"][0]["relations"].append([0, 1]),
            r"data\[0\].relations\[5\]: expected three integers",
        ),
        (
            lambda d: d["data"][0].update(file_name="000000000001.jpg"),
            r"data\[0\].file_name: '000000000001.jpg' does not begin with train2017/",
        ),
        (lambda d: d["data"][0].update(segments_info=[3]), "segments_info.0.: expected an object"),
    ],
)
def test_a_damaged_file_is_named_with_row_and_field(psg, spoil, message):
    psg.edit("psg", spoil)
    with pytest.raises(SemtokError, match=message) as caught:
        psg.scene_graphs()
    assert "psg.json" in str(caught.value)


def test_relations_need_masks_that_are_segments(tiny):
    tiny.use(masks="instances", scene_graphs="psg")
    tiny.masks()
    with pytest.raises(SemtokError, match="psg needs masks: panoptic, not instances"):
        tiny.scene_graphs()


@pytest.mark.parametrize("name", ["nothing", "rle", "psg", "../psg"])
def test_a_module_that_is_no_backend_is_refused(name):
    with pytest.raises(SemtokError, match=f"'{name}' is no backend for masks"):
        backends.find_backend("masks", name, {})


def test_a_backend_refuses_settings_that_it_has_not():
    with pytest.raises(SemtokError, match=r"settings.geometry: distance: unknown key"):
        backends.find_backend("scene_graphs", "geometry", {"geometry": {"distance": 3}})
