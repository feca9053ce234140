"""An extraction by several processes is, byte for byte, that of one."""

import multiprocessing
from dataclasses import fields, replace

import pytest

from semtok import pipeline
from semtok.events import Event, Message, Progress
from semtok.params import Params, WorkersSettings
from tests.extract.conftest import Extraction

#: Enough for each of two workers to have one in hand and one to come.
SHARDS = 7


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_make_what_one_makes(tiny: Extraction) -> None:
    tiny.data = replace(tiny.data, shards=SHARDS)
    tiny.use("superpixels", "geometry", superpixels={"regions": 5})
    tiny.masks("alone")
    tiny.scene_graphs("graphs_alone", masks="alone")
    events: list[Event] = []

    def kill(event: Event) -> None:
        """End a worker when the first shard is there."""
        events.append(event)
        if isinstance(event, Progress) and [*map(type, events)].count(Progress) == 2:
            victim = multiprocessing.active_children()[0]
            victim.kill()
            victim.join()

    tiny.workers = WorkersSettings(count=2)
    assert tiny.masks(emit=kill) == SHARDS
    assert [type(event) for event in events].count(Message) == 1
    assert tiny.scene_graphs() == SHARDS
    assert tiny.bytes("masks") == tiny.bytes("alone")
    assert tiny.bytes("scene_graphs") == tiny.bytes("graphs_alone")


@pytest.mark.slow
def test_annotations_that_belong_to_no_image_are_listed_by_several_as_by_one(
    tiny: Extraction,
) -> None:
    tiny.edit(
        "instances_train2017", lambda document: document["annotations"][0].update(image_id=77)
    )
    tiny.masks("alone")
    tiny.workers = WorkersSettings(count=2)
    tiny.masks()
    assert [row["image_id"] for row in tiny.rejected() if row["reason"] == "no image of that id"]
    assert tiny.bytes("masks") == tiny.bytes("alone")


def test_no_stage_depends_on_who_works() -> None:
    assert any(each.name == "workers" for each in fields(Params))
    for stage in pipeline.stages().values():
        assert not [name for name in stage.settings("a-train") if "workers" in name]
