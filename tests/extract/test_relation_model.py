"""The relation model: it learns, repeats itself, and never sees what it is asked about."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file, save_file

from semtok.errors import SemtokError
from semtok.extract import annotated_predicates
from semtok.extract.backends import Job, find_backend
from semtok.extract.crossfit import folds_of
from semtok.extract.extracted import extracted
from semtok.extract.learned import LEARNED, TRAINED_ON
from semtok.extract.relation_model import new_network, stage
from semtok.extract.relation_model.pairs import Masks, every_pair, geometry, look
from semtok.extract.relation_model.training import train
from semtok.json_files import read_json
from semtok.params import ExtractorSettings, RelationModelSettings
from semtok.tables import read_table
from tests.extract.little_scenes import ANNOTATED

pytestmark = pytest.mark.slow

SETTINGS = RelationModelSettings(
    folds=2, seed=0, steps=12, batch_size=8, learning_rate=0.005, crop_size=16, width=8
)
_ALL = {"score": 0.0, "relations": 10}
PREDICTED = ExtractorSettings("panoptic", "relation_model", {"relation_model": _ALL})


@pytest.fixture(scope="module")
def trained(little_scenes, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("relation_model")
    learn(little_scenes, *little_scenes.annotated(), folder)
    return folder


def learn(scenes, masks: pa.Table, relations: pa.Table, folder: Path, **settings) -> None:
    own = replace(SETTINGS, **settings)
    train(scenes.root, scenes.images(), masks, relations, own, folder)


def say(scenes, split: str, folder: Path, model: Path) -> pa.Table:
    return extracted(scenes.partition(split, folder), scenes.listed, PREDICTED, model)[1]


def of_image(table: pa.Table, image_id: int) -> list[dict]:
    return table.filter(pc.equal(table["image_id"], image_id)).to_pylist()


def test_what_is_said_of_an_image_does_not_come_from_its_annotations(
    little_scenes, trained, tmp_path
):
    """The proof against leaks: other annotations of an image change nothing that it is told."""
    masks, relations = little_scenes.annotated()
    image_ids = little_scenes.images()["image_id"].to_numpy()
    image_id = int(image_ids[0])
    (own,) = folds_of(image_ids[:1], SETTINGS.folds)
    assert of_image(relations, image_id)
    kept = relations.filter(pc.not_equal(relations["image_id"], image_id))
    turned = of_image(relations, image_id)
    for row in turned:
        row["subject"], row["object"] = row["object"], row["subject"]
    other = pa.concat_tables([kept, pa.Table.from_pylist(turned, schema=relations.schema)])
    learn(little_scenes, masks, other, tmp_path)
    changed = [
        (tmp_path / name).read_bytes() != (trained / name).read_bytes()
        for name in ("fold-0.safetensors", "fold-1.safetensors")
    ]
    assert changed == [own != 0, own != 1]
    before = say(little_scenes, "train", tmp_path / "a", trained)
    after = say(little_scenes, "train", tmp_path / "b", tmp_path)
    assert of_image(before, image_id)
    assert of_image(after, image_id) == of_image(before, image_id)
    assert after != before


@pytest.mark.parametrize("split", ["train", "val"])
def test_every_image_is_shown_to_the_network_of_its_fold_alone(
    little_scenes, trained, tmp_path, split
):
    shutil.copytree(trained, tmp_path / "model")
    sure = load_file(trained / "fold-0.safetensors")
    sure["predicates.bias"] += 100
    save_file(sure, tmp_path / "model/fold-0.safetensors")
    found = say(little_scenes, split, tmp_path / "work", tmp_path / "model")
    certain = {row["image_id"] for row in found.to_pylist() if row["score"] == 1}
    image_ids = np.array(sorted(set(found["image_id"].to_pylist())))
    assert certain == set(image_ids[folds_of(image_ids, 2) == 0].tolist())
    assert 0 < len(certain) < len(image_ids)


def test_the_images_that_were_looked_at_are_of_other_folds(trained):
    seen = read_table(trained / "trained_on.parquet", TRAINED_ON)
    assert (folds_of(seen["image_id"].to_numpy(), 2) != seen["fold"].to_numpy()).all()


def test_the_same_inputs_give_the_same_bytes(little_scenes, trained, tmp_path):
    learn(little_scenes, *little_scenes.annotated(), tmp_path)
    for path in trained.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
    losses = [
        row["value"]
        for row in read_table(trained / "history.parquet", LEARNED).to_pylist()
        if (row["fold"], row["name"]) == (0, "loss")
    ]
    assert losses[-1] < losses[0]


def test_no_category_is_an_input(little_scenes, trained, tmp_path):
    backend = find_backend("scene_graphs", "relation_model", {"relation_model": _ALL})
    images = little_scenes.images("val")
    opened = backend.open(
        Job(little_scenes.root, little_scenes.listed, images, backend.settings, trained)
    )
    masks = little_scenes.masks("val")
    rows = masks.to_pylist()
    for row in rows:
        row |= {"category": "x", "category_id": 7, "source_id": 9}
    other = pa.Table.from_pylist(rows, schema=masks.schema)
    assert opened.find(images, other).relations == opened.find(images, masks).relations


def test_relations_are_capped_scored_and_among_the_best_masks(little_scenes, trained, tmp_path):
    settings = {"relation_model": {"score": 0.03, "relations": 5, "masks": 3}}
    few = ExtractorSettings("panoptic", "relation_model", settings)
    partition = little_scenes.partition("val", tmp_path)
    _, found = extracted(partition, little_scenes.listed, few, trained)
    assert found.num_rows
    for image_id in set(found["image_id"].to_pylist()):
        rows = of_image(found, image_id)
        assert len(rows) <= 5
        assert all(0.03 <= row["score"] <= 1 for row in rows)
        # All annotated masks score 1: the first three are the best.
        ends = {row[end] for row in rows for end in ("subject", "object")}
        assert ends <= {0, 1, 2}
        assert all(row["subject"] != row["object"] for row in rows)


def test_the_stage_says_how_good_and_how_dear_it_is(little_scenes, tmp_path):
    partition = little_scenes.partition("train", tmp_path / "artifact")
    val = little_scenes.partition("val", tmp_path / "artifact")
    stage.build(partition, val, little_scenes.listed, ANNOTATED, SETTINGS)
    quality = json.loads((tmp_path / "artifact/quality.json").read_text())
    assert 0 <= quality["R@20"] <= quality["R@50"] <= quality["R@100"] <= 1
    assert 0 < quality["ng-R@100"] <= 1
    guessed = quality.pop("frequency")
    assert guessed.keys() == quality.keys()
    assert 0 < guessed["R@20"] <= guessed["R@100"] <= 1
    assert 0 < guessed["mR@100"] <= guessed["ng-mR@100"] <= 1
    cost = json.loads((tmp_path / "artifact/cost.json").read_text())
    config = json.loads((tmp_path / "artifact/config.json").read_text())
    assert cost["parameters"] == sum(each.numel() for each in new_network(config).parameters())
    assert cost["labels"]["relations"] == little_scenes.annotated()[1].num_rows
    assert cost["flops_per_image"] > 0
    learned = read_json(tmp_path / "artifact" / annotated_predicates.NAME)
    assert learned == Counter(little_scenes.annotated()[1]["predicate"].to_pylist())


def rectangles(*boxes: tuple[int, int, int, int]) -> Masks:
    pixels = np.zeros((len(boxes), 20, 40), np.uint8)
    for mask, (x, y, w, h) in zip(pixels, boxes, strict=True):
        mask[y : y + h, x : x + w] = 1
    return Masks(np.arange(len(boxes)), np.array(boxes), pixels)


def test_geometry_is_what_it_says():
    masks = rectangles((0, 0, 20, 10), (10, 5, 20, 10))
    (row,) = geometry(masks, [(0, 1)], (20, 40))
    size = np.sqrt(200 / 800)
    own, other = [0.25, 0.25, 0.5, 0.5, size], [0.5, 0.5, 0.5, 0.5, size]
    assert row[:10] == pytest.approx([*own, *other])
    assert row[10:] == pytest.approx([0.25 / size, 0.25 / size, 0.0, 50 / 350])


def test_subject_and_object_are_told_apart():
    masks = rectangles((0, 0, 4, 20), (30, 4, 8, 8))
    image = np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)
    crops, where = look(image, masks, every_pair(2), 8)
    assert crops.shape == (2, 5, 8, 8)
    assert torch.equal(crops[0, :3], crops[1, :3])
    assert torch.equal(crops[0, 3], crops[1, 4])
    assert torch.equal(crops[0, 4], crops[1, 3])
    assert crops[0, 3, :, 0].min() > 0.9
    assert crops[0, 3, :, 4:].max() == 0
    assert not torch.equal(where[0], where[1])


def test_no_annotated_relation_is_one_line(little_scenes, tmp_path):
    masks, relations = little_scenes.annotated()
    with pytest.raises(SemtokError, match="no training image has an annotated relation"):
        learn(little_scenes, masks, relations.slice(0, 0), tmp_path)


def test_a_backend_without_a_model_says_what_to_do(little_scenes):
    backend = find_backend("scene_graphs", "relation_model", {})
    job = Job(little_scenes.root, little_scenes.listed, little_scenes.images(), backend.settings)
    with pytest.raises(SemtokError, match="scene_graphs: relation_model/NAME"):
        backend.open(job)
