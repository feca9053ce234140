"""Predicted extraction through the whole line, beside the annotated one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from semtok.bench import costs
from semtok.data.index import split_images
from semtok.extract import annotated_predicates
from semtok.extract.average_precision import average_precision
from semtok.extract.corruptions import KINDS
from semtok.extract.extraction_scores import EXTRACTION_SCORES, METRICS, NAME
from semtok.extract.masks import MASKS
from semtok.extract.matching import told_of
from semtok.extract.relation_recall import recall
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.sharding import CORRUPTED
from semtok.tables import TableSchema, read_table
from semtok.tokens.shards import TokenShards
from semtok.workspace import Workspace
from tests import small_line

STUDY = yaml.safe_load((small_line.REPOSITORY / "study.yaml").read_text())["all"]
VARIANT = "regions_relations_predicted"
JUDGED = "predicted-test"

pytestmark = pytest.mark.slow
_LITTLE = {"steps": 40, "batch_size": 8, "width": 8, "learning_rate": 0.01}


def predicted(params: dict[str, Any]) -> None:
    """Add the study's predicted extraction, so small that it need not be any good."""
    params["detectors"] = {"study": STUDY["detectors"]["study"] | _LITTLE | {"image_size": 64}}
    params["relation_models"] = {
        "study": STUDY["relation_models"]["study"] | _LITTLE | {"crop_size": 16}
    }
    settings = {"detector": {"score": 0.01}, "relation_model": {"score": 0.0}}
    params["extractors"]["predicted"] = STUDY["extractors"]["predicted"] | {"settings": settings}
    for split in ("train", "val", "test"):
        key = f"predicted-{split}"
        params["extraction"][key] = STUDY["extraction"][key]
        params["extraction"][f"superpixels-{split}"] = STUDY["extraction"][f"superpixels-{split}"]
        params["token_shards"][f"semantic_{key}"] = STUDY["token_shards"][f"semantic_{key}"]
    params["tokenizers"]["semantic_predicted"] = dict(params["tokenizers"]["semantic"])
    params["extractors"]["superpixels"] = STUDY["extractors"]["superpixels"]
    params["extraction_scores"] = {JUDGED: STUDY["extraction_scores"][JUDGED]}
    params["corruption"] = {"splits": ["test"], "severities": [4]}
    params["variants"][VARIANT] = STUDY["variants"][VARIANT]
    params["checks"]["detector"] = {"average_precision": 0.0}
    params["checks"]["relation_model"] = {"recall": 0.0, "mean_recall": 0.0}
    params["checks"]["masks"] = {"share_without_masks": 1.0}
    params["checks"]["scene_graphs"] = {"share_without_relations": 1.0}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    params = yaml.safe_load((small_line.REPOSITORY / "params.yaml").read_text())
    params["variants"] = {"vit": params["variants"]["vit"]}
    predicted(small_line.shrunk(params))
    return small_line.build(tmp_path_factory.mktemp("predicted") / "line", params)


@pytest.fixture(scope="module")
def judged(line: Workspace) -> Path:
    """The extraction of test, judged by its annotations."""
    for stage in ("masks", "scene_graphs"):
        small_line.run(line.root, stage, "annotated-test")
    small_line.run(line.root, "extraction_scores", JUDGED)
    return line.input("extraction_scores", JUDGED)


def rows(folder: Path, schema: TableSchema) -> pa.Table:
    shards = sorted(folder.glob("[0-9]*.parquet"))
    return pa.concat_tables(read_table(path, schema) for path in shards)


def test_nothing_of_the_annotated_extraction_is_made_or_read(line):
    assert line.find("masks", "annotated-train") is None
    for name in ("masks", "scene_graphs"):
        folder = line.input(name, "predicted-val")
        inputs = json.loads((folder / "provenance.json").read_text())["inputs"]
        model = {"masks": "detector@study", "scene_graphs": "relation_model@study"}[name]
        assert model in inputs


def test_masks_have_scores_and_no_categories(line):
    masks = rows(line.input("masks", "predicted-train"), MASKS)
    assert masks.num_rows
    assert set(masks["category"].to_pylist()) == {"region"}
    assert 0 < min(masks["score"].to_pylist()) < max(masks["score"].to_pylist()) <= 1


def test_relations_have_scores_and_are_capped(line):
    found = rows(line.input("scene_graphs", "predicted-train"), SCENE_GRAPHS)
    assert set(found["source"].to_pylist()) == {"relation_model"}
    images = found["image_id"].to_pylist()
    assert images
    assert max(images.count(image_id) for image_id in set(images)) <= 16


def test_what_their_model_has_learned_from_lies_beside_them(line):
    learned = (line.input("relation_model", "study") / annotated_predicates.NAME).read_bytes()
    beside = line.input("scene_graphs", "predicted-val") / annotated_predicates.NAME
    assert beside.read_bytes() == learned


def test_relations_are_reported_beside_those_of_the_frequency_baseline(line):
    artifact = line.input("relation_model", "study")
    quality = json.loads((artifact / "quality.json").read_text())
    told = json.loads((artifact / "report.json").read_text())["numbers"]
    for name, value in quality.pop("frequency").items():
        assert told[name] == quality[name]
        assert told[f"frequency {name}"] == value


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_image_has_tokens(line, split):
    images = split_images(line.input("index"), split)["image_id"].to_pylist()
    shards = TokenShards(line.input("token_shards", f"semantic_predicted-{split}"))
    assert sorted(shards.image_ids.tolist()) == images


def test_what_extraction_costs_is_on_the_bill(line):
    models = [
        json.loads((line.input(name, "study") / "cost.json").read_text())
        for name in ("detector", "relation_model")
    ]
    paid = costs.read(line.input("scores", VARIANT)).extraction
    assert paid == costs.Extraction(
        parameters=sum(each["parameters"] for each in models),
        flops_per_image=sum(each["flops_per_image"] for each in models),
        images=16,
    )
    assert costs.read(line.input("scores", "vit")).extraction is None


def test_extraction_is_judged_as_it_was_published_and_under_corruption(line, judged):
    clean, *spoilt = read_table(judged / NAME, EXTRACTION_SCORES).to_pylist()
    found, wanted = (
        [
            rows(line.input(stage, f"{extractor}-test"), schema)
            for stage, schema in (("masks", MASKS), ("scene_graphs", SCENE_GRAPHS))
        ]
        for extractor in ("predicted", "annotated")
    )
    assert (clean["masks"], clean["relations"]) == (found[0].num_rows, found[1].num_rows)
    told = told_of(found[1], found[0], wanted[0])
    scores = average_precision(found[0], wanted[0]) | recall(told, wanted[1])
    assert {name: clean[name] for name in METRICS} == {name: scores[name] for name in METRICS}
    assert [(row["kind"], row["severity"]) for row in spoilt] == [(kind, 4) for kind in KINDS]


def test_what_is_found_in_corrupted_pictures_is_what_was_judged(line, judged):
    _, *spoilt = read_table(judged / NAME, EXTRACTION_SCORES).to_pylist()
    for row in spoilt:
        masks, relations = (
            rows(line.input(stage, "predicted-test") / CORRUPTED / f"{row['kind']}-4", schema)
            for stage, schema in (("masks", MASKS), ("scene_graphs", SCENE_GRAPHS))
        )
        assert (masks.num_rows, relations.num_rows) == (row["masks"], row["relations"])


def test_tokens_of_a_corrupted_picture_are_of_what_was_found_in_it(line):
    tokens = line.input("token_shards", "semantic_predicted-test")
    told = []
    for of in ("", *(f"{CORRUPTED}/{kind}-4" for kind in KINDS)):
        masks = rows(line.input("masks", "predicted-test") / of, MASKS)["image_id"].to_pylist()
        shards = TokenShards(tokens / of)
        counts = shards.rows(np.arange(len(shards))).region_counts
        wanted = [min(max(1, masks.count(image_id)), 32) for image_id in shards.image_ids]
        assert counts.tolist() == wanted
        told.append(wanted)
    assert len({tuple(each) for each in told}) > 1


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_splits_are_not_corrupted(line, split):
    for stage in ("masks", "scene_graphs"):
        assert not (line.input(stage, f"predicted-{split}") / CORRUPTED).exists()


def test_annotations_hold_whatever_is_done_to_the_pixels(line, judged):
    for stage in ("masks", "scene_graphs"):
        assert not (line.input(stage, "annotated-test") / CORRUPTED).exists()


def test_relations_are_computed_anew_where_masks_are(line):
    for stage in ("masks", "scene_graphs"):
        small_line.run(line.root, stage, "superpixels-test")
    whole = rows(line.input("scene_graphs", "superpixels-test"), SCENE_GRAPHS)
    again = rows(
        line.input("scene_graphs", "superpixels-test") / CORRUPTED / "noise-4", SCENE_GRAPHS
    )
    assert again.num_rows and not again.equals(whole)


def test_its_metrics_and_picture_are_told(line, judged):
    metrics = json.loads((line.root / f"metrics/scenes/{JUDGED}.json").read_text())
    assert set(metrics) == {"clean-0", *(f"{kind}-4" for kind in KINDS)}
    report = json.loads((judged / "report.json").read_text())
    assert report["numbers"] == metrics["clean-0"]
    assert all((judged / name).stat().st_size for name in report["pictures"])


def test_the_variant_is_scored_beside_the_others(line):
    assert {path.name for path in line.input("scores", VARIANT).parent.iterdir()} == {
        "vit",
        VARIANT,
    }
