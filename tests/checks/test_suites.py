"""Every suite passes the tiny line, and names every fault that is planted in it."""

import importlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from semtok.bench import scoring, unasked
from semtok.bench.cases import CASES
from semtok.checks import subject
from semtok.checks.judging import Judge
from semtok.checks.verdict import CheckResult
from semtok.json_files import read_json
from semtok.tables import read_table, write_table
from tests.checks import tiny_line
from tests.checks.planted import (
    Fault,
    checkpoint,
    detector,
    extraction_scores,
    images,
    index,
    leaderboard,
    masks,
    outside_scores,
    relation_model,
    remote_scores,
    scene_graphs,
    scores,
    token_shards,
    transmission,
)

STAGES = (
    "images",
    "index",
    "detector",
    "masks",
    "relation_model",
    "scene_graphs",
    "extraction_scores",
    "token_shards",
    "checkpoint",
    "scores",
    "outside_scores",
    "remote_scores",
    "transmission",
    "leaderboard",
)
FAULTS = [
    fault
    for module in (
        images,
        index,
        detector,
        masks,
        relation_model,
        scene_graphs,
        extraction_scores,
        token_shards,
        checkpoint,
        scores,
        outside_scores,
        remote_scores,
        transmission,
        leaderboard,
    )
    for fault in module.FAULTS
]
#: In the tiny line nothing was found in one image of four, and two have several masks.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "masks": {"share_without_masks": 0.25},
    "scene_graphs": {"share_without_relations": 0.4},
}


JUDGE = Judge()


def judge(key: str, artifact: Path, line: Path) -> list[CheckResult]:
    name = key.partition("@")[0]
    stage = importlib.import_module(f"semtok.checks.{name}")
    judged = subject.read(artifact, tiny_line.inputs(line, key))
    suite = stage.suite(stage.Settings(**SETTINGS.get(name, {})))
    return JUDGE.judge(stage.summarise(judged), suite)


@pytest.mark.parametrize("key", tiny_line.INPUTS)
def test_a_sound_artifact_passes(key: str, line: Path) -> None:
    results = judge(key, line / key, line)
    assert results
    assert [result for result in results if not result.passed] == []


def test_what_a_variant_could_not_be_asked_is_not_missed(line: Path, tmp_path: Path) -> None:
    whole = tmp_path / "line"
    shutil.copytree(line, whole)
    scores = whole / "scores@semantic"
    asked = read_json(scores / "provenance.json")
    asked["params"]["bench"]["benchmarks"].append("saliency")  # of tokens side by side alone
    (scores / "provenance.json").write_text(json.dumps(asked))
    unasked.write(scores, scoring.refusals(whole / "checkpoint@semantic", ["saliency"]))
    assert all(each.passed for each in judge("scores@semantic", scores, whole))
    # The baseline was not asked.
    baseline = whole / "scores@grid"
    left = read_table(baseline / "cases.parquet", CASES)
    left = left.filter(pc.not_equal(left["benchmark"], "faithfulness"))
    write_table(baseline / "cases.parquet", left, CASES)
    unasked.write(baseline, {"faithfulness": "its gates drop some"})
    tiny_line.draw_leaderboard(whole)
    assert all(each.passed for each in judge("leaderboard", whole / "leaderboard", whole))


def test_tasks_are_missed_that_a_benchmarks_settings_ask(line: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores@semantic"
    shutil.copytree(line / "scores@semantic", scores)
    said, missed = read_json(scores / "provenance.json"), []
    for draws in (0, 9):
        said["params"]["bench"]["benchmarks"] = ["faithfulness"]
        said["params"]["bench"]["settings"] = {"faithfulness": {"lime_draws": draws}}
        (scores / "provenance.json").write_text(json.dumps(said))
        found = {each.name: each for each in judge("scores@semantic", scores, line)}
        missed.append(found["missing_tasks"].observed)
    # Of two seeds and two measures: six attributions against LIME with their mean, and its own two.
    assert missed[1] - missed[0] == 2 * 2 * (7 + 2)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_named(fault: Fault, line: Path, tmp_path: Path) -> None:
    artifact = tmp_path / fault.key
    shutil.copytree(line / fault.key, artifact)
    fault.plant(artifact)
    red = {each.name: each for each in judge(fault.key, artifact, line) if not each.passed}
    assert set(red) == {fault.name, *fault.also}
    assert fault.shows in str(red[fault.name].example)


@pytest.mark.parametrize("stage", STAGES)
def test_every_expectation_has_a_planted_fault(stage: str) -> None:
    module = importlib.import_module(f"semtok.checks.{stage}")
    named = [each.column for part in module.suite(module.Settings()).values() for each in part]
    planted = {fault.name for fault in FAULTS if fault.key.partition("@")[0] == stage}
    assert len(named) == len(set(named))
    assert set(named) == planted
