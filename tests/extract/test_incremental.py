"""After any history of edits and kills, an extraction equals one built from scratch."""

import random
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from semtok.events import Event
from semtok.sharding import shard_of


class Killed(BaseException):
    """The process ended here."""


def annotations(change):
    """An edit of one of the training annotations, drawn at random."""

    def edit(tiny, draw):
        def spoil(document):
            rows = [each for each in document["annotations"] if not each["iscrowd"]]
            change(document["annotations"], draw.choice(rows), draw)

        tiny.edit("instances_train2017", spoil)

    return edit


def add_image(tiny, draw):
    image_id = draw.randrange(100, 10**9)
    name = f"{image_id:012d}.jpg"
    Image.new("RGB", (12, 10)).save(tiny.root / "train2017" / name)
    row = {"id": image_id, "file_name": name, "width": 12, "height": 10}
    for kind in ("captions", "instances", "panoptic"):
        tiny.edit(f"{kind}_train2017", lambda document: document["images"].append(row))
    caption = {"id": image_id, "image_id": image_id, "caption": "A black picture."}
    tiny.edit("captions_train2017", lambda document: document["annotations"].append(caption))
    square = {
        "id": image_id,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "segmentation": [[1, 1, 8, 1, 8, 8, 1, 8]],
    }
    tiny.edit("instances_train2017", lambda document: document["annotations"].append(square))


def remove_image(tiny, draw):
    images = sorted((tiny.root / "train2017").iterdir())
    if len(images) > 2:
        draw.choice(images).unlink()


def resize_image(tiny, draw):
    def grow(document):
        (row,) = (each for each in document["images"] if each["id"] == 1)
        row["width"] = width

    width = draw.randrange(40, 60)
    Image.new("RGB", (width, 30)).save(tiny.root / "train2017/000000000001.jpg")
    for kind in ("captions", "instances", "panoptic"):
        tiny.edit(f"{kind}_train2017", grow)


def damage(tiny, draw):
    """Delete or cut off a file of a published artifact."""
    artifact = tiny.folder / draw.choice(["masks", "scene_graphs"])
    if files := sorted(artifact.glob("*")):
        path = draw.choice(files)
        content = path.read_bytes()
        path.unlink()
        if draw.random() < 0.5:
            path.write_bytes(content[: len(content) // 2])


def kill(tiny, draw):
    """End the process at the n-th event of a stage that has everything to do."""
    left = draw.randrange(4)

    def emit(event: Event) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    source, tiny.source = tiny.source, f"killed {draw.random()}"
    try:
        tiny.masks(emit=emit)
        tiny.scene_graphs(emit=emit)
    except Killed:
        pass
    tiny.source = source


def swap_backend(tiny, draw):
    masks = "panoptic" if tiny.extractor.masks == "instances" else "instances"
    tiny.use(masks, "geometry", geometry={"pairs": draw.randrange(4)})


def set_shards(tiny, draw):
    tiny.data = replace(tiny.data, shards=draw.randrange(1, 5))


def change_source(tiny, draw):
    tiny.source = f"source {draw.randrange(3)}"


HISTORY = [
    annotations(lambda rows, row, draw: row.update(segmentation=[[1, 1, 9, 1, 9, 8]])),
    annotations(lambda rows, row, draw: row.update(segmentation=[])),
    annotations(lambda rows, row, draw: row.update(category_id=18)),
    annotations(lambda rows, row, draw: row.update(iscrowd=1)),
    annotations(lambda rows, row, draw: rows.remove(row)),
    annotations(lambda rows, row, draw: rows.append({**row, "id": draw.randrange(600, 999)})),
    annotations(lambda rows, row, draw: draw.shuffle(rows)),
    annotations(lambda rows, row, draw: row.update(image_id=draw.choice([1, 4, 77]))),
    add_image,
    remove_image,
    resize_image,
    damage,
    kill,
    swap_backend,
    set_shards,
    change_source,
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_any_history_leads_to_what_is_built_from_scratch(tiny, seed):
    draw = random.Random(seed)
    for _ in range(5):
        draw.choice(HISTORY)(tiny, draw)
        tiny.masks()
        tiny.scene_graphs()
        for name in ("fresh_masks", "fresh_graphs"):
            shutil.rmtree(tiny.folder / name, ignore_errors=True)
        assert tiny.masks("fresh_masks") == tiny.data.shards
        assert tiny.scene_graphs("fresh_graphs", masks="fresh_masks") == tiny.data.shards
        assert tiny.bytes("masks") == tiny.bytes("fresh_masks")
        assert tiny.bytes("scene_graphs") == tiny.bytes("fresh_graphs")
    assert tiny.masks() == tiny.scene_graphs() == 0


def test_one_edited_annotation_redoes_one_shard(tiny):
    tiny.masks()
    tiny.scene_graphs()

    def grow(document):
        document["annotations"][0]["segmentation"] = [[2, 2, 24, 2, 24, 20, 2, 20]]

    tiny.edit("instances_train2017", grow)
    assert tiny.masks() == 1
    assert tiny.scene_graphs() == 1


def test_other_pixels_of_the_same_size_redo_no_mask(tiny):
    tiny.masks()
    Image.new("RGB", (40, 30)).save(tiny.root / "train2017/000000000001.jpg")
    assert tiny.masks() == 0


def test_another_size_redoes_one_shard(tiny):
    tiny.masks()
    resize_image(tiny, random.Random(0))
    assert tiny.masks() == 1


def test_an_edited_png_redoes_one_shard(tiny):
    tiny.use(masks="panoptic")
    tiny.masks()
    path = tiny.root / "annotations/panoptic_train2017/000000000001.png"
    image = Image.open(path).convert("RGB")
    image.putpixel((0, 0), (44, 1, 0))
    image.save(path)
    assert tiny.masks() == 1


def test_a_relation_edited_redoes_one_shard(tiny):
    tiny.use(masks="panoptic", scene_graphs="psg")
    tiny.masks()
    tiny.scene_graphs()
    tiny.edit("psg", lambda document: document["data"][0]["relations"].pop())
    assert tiny.scene_graphs() == 1


def test_settings_redo_the_stage_that_they_belong_to(tiny):
    tiny.masks()
    tiny.scene_graphs()
    tiny.use(geometry={"pairs": 1})
    assert tiny.masks() == 0
    assert tiny.scene_graphs() == tiny.data.shards


def test_another_source_redoes_everything(tiny):
    tiny.masks()
    tiny.scene_graphs()
    tiny.source = "edited"
    assert tiny.scene_graphs() == tiny.masks() == tiny.data.shards


def test_adding_images_moves_none_between_shards(tiny):
    tiny.masks()
    before = tiny.bytes("masks")
    draw = random.Random(0)
    add_image(tiny, draw)
    assert tiny.masks() == 1
    changed = {name for name, content in tiny.bytes("masks").items() if before[name] != content}
    (added,) = {row["image_id"] for row in tiny.rows() if row["image_id"] >= 100}
    assert changed == {f"{shard_of(added, tiny.data.shards):03d}.parquet"}


def test_a_shard_without_images_is_there_and_empty(tiny):
    tiny.data = replace(tiny.data, shards=40)
    tiny.masks()
    tiny.scene_graphs()
    assert len(list((tiny.folder / "masks").glob("[0-9]*.parquet"))) == 40
    assert len(tiny.rows()) == 5


def test_progress_is_told_in_images(tiny):
    events: list[Event] = []
    tiny.masks(emit=events.append)
    assert [(e.what, e.done, e.total) for e in events] == [
        *(("masks", done, 5) for done in sorted({e.done for e in events[:-1]})),
        ("masks", 5, 5),
    ]
    assert events[0].done == 0
