"""Scores of other data, tokens, models or extraction are no scores of the study."""

import json
from dataclasses import asdict, replace
from functools import reduce
from pathlib import Path

import pytest

from semtok import params_file, pipeline, study
from semtok.params import TokenShardsSettings
from semtok.report.study.current import made
from semtok.workspace import Workspace, stage_key
from tests import small_line

VARIANT = "regions_predicted"
JUDGED = "predicted-test"
WANTED = [("scores", "vit"), ("scores", VARIANT), ("extraction_scores", JUDGED)]


@pytest.fixture
def params():
    found = study.settings(Path(__file__).parents[2], "small")
    return replace(found, variants={name: found.variants[name] for name in ("vit", VARIANT)})


@pytest.fixture
def workspace(tmp_path, params):
    """What the pipeline leaves of a run by these settings, without what it made."""
    place = Workspace(tmp_path, params.data.name)
    blocks = asdict(params)
    for name, partition in pipeline.upstream(params, *WANTED):
        stage, key = pipeline.stages()[name], stage_key(name, partition)
        folder = place.output(name, partition)
        folder.mkdir(parents=True)
        settled = {
            block: reduce(lambda part, each: part[each], block.split("."), blocks)
            for block in stage.settings(partition)
            if not block.startswith("checks.")
        }
        inputs = {stage_key(*each): stage_key(*each) for each in stage.inputs(params, partition)}
        write(folder / "provenance.json", {"stage": key, "inputs": inputs, "params": settled})
        write(folder / "verdict.json", {"stage": key, "digest": key})
    return place


def write(path, value):
    path.write_text(json.dumps(value))


def test_what_these_settings_made_counts(workspace, params):
    assert made(workspace, params, "scores") == {
        name: workspace.output("scores", name) for name in ("vit", VARIANT)
    }


@pytest.mark.parametrize(
    ("block", "name", "changes", "left"),
    [
        ("tokenizers", "semantic_predicted", {"max_masks": 3}, ["vit"]),
        ("tokenizers", "grid", {"image_size": 64}, [VARIANT]),
        ("detectors", "study", {"steps": 7}, ["vit"]),
        ("relation_models", "study", {"steps": 7}, ["vit"]),
        ("extractors", "predicted", {"masks": "other"}, ["vit"]),
        ("data", None, {"settings": {"scenes": {"train": 3}}}, []),
        ("train", None, {"steps": 7}, []),
        ("bench", None, {"splits": ("test",)}, []),
    ],
)
def test_other_settings_of_anything_upstream_do_not(workspace, params, block, name, changes, left):
    now = getattr(params, block)
    each = now[name] if name else now
    each = {**each, **changes} if isinstance(each, dict) else replace(each, **changes)
    changed = replace(params, **{block: {**now, name: each} if name else each})
    assert list(made(workspace, changed, "scores")) == left


def test_extraction_that_was_judged_by_other_severities_or_models_does_not(workspace, params):
    def judged(now):
        return list(made(workspace, now, "extraction_scores"))

    assert judged(params) == [JUDGED]
    severities = replace(params.corruption, severities=(1,))
    assert judged(replace(params, corruption=severities)) == []
    # What it is judged by is an extraction, too, which may be one of corrupted pictures.
    assert judged(replace(params, corruption=replace(params.corruption, splits=()))) == []
    detectors = {"study": replace(params.detectors["study"], steps=7)}
    assert judged(replace(params, detectors=detectors)) == []


def test_tokens_of_another_extraction_do_not_count(workspace, params):
    shards = dict(params.token_shards)
    shards["semantic_predicted-val"] = TokenShardsSettings(
        "semantic_predicted", "extraction/annotated-val"
    )
    assert list(made(workspace, replace(params, token_shards=shards), "scores")) == ["vit"]


def test_scores_of_what_was_made_again_do_not_count(workspace, params):
    """By the same settings, but of other images, say."""
    write(workspace.output("index") / "verdict.json", {"digest": "another"})
    assert made(workspace, params, "scores") == {}


def test_what_stayed_where_it_was_made_says_nothing(workspace, params):
    for partition in ("vit", VARIANT):
        for path in sorted(workspace.output("checkpoint", partition).iterdir()):
            path.unlink()
        workspace.output("checkpoint", partition).rmdir()
    assert list(made(workspace, params, "scores")) == ["vit", VARIANT]


@pytest.mark.slow
def test_of_a_line_that_was_run_all_counts_until_its_settings_change(tmp_path):
    workspace = small_line.build(tmp_path / "line")
    found = params_file.load(workspace.root / "params.yaml")
    assert set(made(workspace, found, "scores")) == set(small_line.VARIANTS)
    tokenizers = {**found.tokenizers, "semantic": {**found.tokenizers["semantic"], "max_masks": 3}}
    assert list(made(workspace, replace(found, tokenizers=tokenizers), "scores")) == ["vit"]
