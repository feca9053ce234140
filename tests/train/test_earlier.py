"""Trainings of an earlier artifact: kept where nothing that they depend on has changed."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from semtok.train import earlier
from semtok.train.train import train

_OF_PREMISES = (
    *("train_shards", "val_shards", "captions", "variant", "encoder", "text", "settings"),
    "source",
)


def premises(given):
    return earlier.premises(**{name: given[name] for name in _OF_PREMISES})


def published(given, folder, seeds, tried=None):
    for seed in seeds:
        staging = folder / f"seed-{seed}"
        search = {"search": tried or {}, "searched_with": seeds[0] if tried else None}
        provenance = given["provenance"] | search
        own = given | {"seed": seed, "provenance": provenance}
        train(**own, staging=staging, resume=folder / f"resume-{seed}")
    return folder


@pytest.fixture
def given(arguments):
    return arguments("semantic")


def test_trainings_are_kept_seed_by_seed(given, tmp_path) -> None:
    folder, rate = published(given, tmp_path, [3, 5]), given["settings"].learning_rate
    found = earlier.find(folder, premises(given), 3, [rate])
    assert found == earlier.Earlier({seed: folder / f"seed-{seed}" for seed in (3, 5)}, rate, {})
    # Where nothing was searched, no seed was before the others.
    assert earlier.find(folder, premises(given), 5, [rate]) == found
    assert earlier.find(folder, premises(given), 4, [rate]) == earlier.Earlier()
    assert earlier.find(tmp_path / "nowhere", premises(given), 3, [rate]) == earlier.Earlier()


def test_a_search_is_kept_if_it_tried_the_same_rates(given, tmp_path) -> None:
    rate = given["settings"].learning_rate
    tried = {str(rate): 0.3, str(10 * rate): None}
    folder = published(given, tmp_path, [3, 5], tried)
    found = earlier.find(folder, premises(given), 3, [rate, 10 * rate])
    assert (found.rate, found.tried) == (rate, tried)
    # With another first seed, another rate might have been chosen.
    assert earlier.find(folder, premises(given), 5, [rate, 10 * rate]) == earlier.Earlier()
    for rates in ([rate], [rate, 9 * rate], [rate / 10, rate, 10 * rate]):
        assert not earlier.find(folder, premises(given), 3, rates).folders


def test_what_makes_another_training_keeps_none(given) -> None:
    captions, settings = given["captions"], given["settings"]
    other = captions.set_column(2, "caption", pa.array(["a box"] * len(captions)))
    changes = [
        {"train_shards": given["val_shards"]},
        {"val_shards": given["train_shards"]},
        {"captions": other},
        {"variant": replace(given["variant"], intangible=not given["variant"].intangible)},
        {"encoder": replace(given["encoder"], mlp_ratio=3.0)},
        {"text": replace(given["text"], context=given["text"].context - 1)},
        {"settings": replace(settings, steps=settings.steps + 1)},
        {"settings": replace(settings, weight_decay=0.01)},
        {"source": "another code"},
    ]
    found = [premises(given | change) for change in changes]
    assert len({premises(given), *found}) == len(changes) + 1


def test_another_text_tower_in_the_same_folder_keeps_none(given, clip_tower_in, tmp_path) -> None:
    told = given | {"text": clip_tower_in(tmp_path / "tower")}
    before = premises(told)
    assert premises(told) == before != premises(given)
    moved = shutil.copytree(told["text"].tower, tmp_path / "moved")
    assert premises(told | {"text": replace(told["text"], tower=str(moved))}) == before
    with (Path(told["text"].tower) / "model.safetensors").open("ab") as weights:
        weights.write(b" ")
    assert premises(told) != before


def test_more_seeds_other_rates_and_captions_of_other_images_make_no_other_training(given) -> None:
    captions, settings = given["captions"], given["settings"]
    more = pa.table({"caption_id": [1], "image_id": [1], "caption": ["of a test image"]})
    more = pa.concat_tables([more.cast(captions.schema), captions])
    same = [
        {"captions": more},
        {"settings": replace(settings, seeds=(7, 8, 9))},
        {"settings": replace(settings, learning_rate=1.0, search=(2.0,))},
    ]
    assert {premises(given | change) for change in same} == {premises(given)}
