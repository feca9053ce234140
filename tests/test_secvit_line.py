"""A SECViT backbone from `semtok run`: checkpoint, scores, and a leaderboard of its own."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from dagster import DagsterInstance
from typer.testing import CliRunner

from dagster_project.artifacts import materialization_metadata
from semtok import params_file, pipeline
from semtok.bench import costs
from semtok.bench.leaderboard import LEADERBOARD, NAME
from semtok.cli import app
from semtok.tables import read_table
from tests import small_line

pytestmark = pytest.mark.slow


def test_it_is_trained_scored_and_ranked(tmp_path) -> None:
    root = tmp_path / "line"
    document = small_line.shrunk(small_line.own())
    document["variants"] = {"secvit": document["variants"]["vit"] | {"encoder": "secvit_t"}}
    document["bench"] |= {"baseline": "secvit"}
    document["train"] |= {"seeds": [0]}
    # So short a training is at chance.
    document["checks"] |= {"checkpoint": {"loss_fall": -9.0}, "scores": {"chance_level": 1.0}}
    small_line.start(root, document)
    params = params_file.load(root / "params.yaml")
    for stage, partition in pipeline.upstream(params, ("scores", "secvit")):
        if partition != "secvit":
            small_line.run(root, stage, partition)
    for key in ("checkpoint@secvit", "scores@secvit", "leaderboard"):
        semtok(root, "run", key)
    artifacts = root / ".semtok/scratch/artifacts/scenes"
    assert costs.read(artifacts / "scores/secvit").parameters.blocks > 12e6
    scores = artifacts / "scores/secvit"
    assert json.loads((scores / "report.json").read_text())["pictures"] == ["clusters.png"]
    drawn = (scores / "clusters.png").read_bytes()
    assert drawn.startswith(b"\x89PNG")
    with DagsterInstance.ephemeral() as instance:
        assert "clusters.png" in materialization_metadata(instance, scores)
    # The command does not look into the scratch workspace.
    shutil.copytree(artifacts, root / "artifacts/scenes", dirs_exist_ok=True)
    semtok(root, "clusters", "secvit", str(tmp_path / "clusters.png"))
    assert (tmp_path / "clusters.png").read_bytes() == drawn
    rows = pl.DataFrame(read_table(artifacts / "leaderboard" / NAME, LEADERBOARD))
    assert set(rows["variant"]) == {"secvit"}
    assert set(rows["benchmark"]) == {"retrieval", "siblings", "sugar_crepe"}


def semtok(root: Path, *arguments: str) -> None:
    done = CliRunner().invoke(app, ["--project", str(root), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
