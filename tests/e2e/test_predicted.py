"""Predicted extraction through the whole line, from both doors."""

import json

import pytest
from dagster import AssetKey, DagsterInstance

from dagster_project.definitions import build
from tests.e2e.conftest import Project
from tests.test_predicted import VARIANT, predicted

pytestmark = pytest.mark.slow


def test_predicted_extraction_stands_beside_the_annotated_one(project: Project) -> None:
    oracle = {name: stage["outs"] for name, stage in project.lock.items()}
    project.set_params(predicted)
    with DagsterInstance.ephemeral() as instance:
        defs = build(project.root)
        done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[AssetKey("detector")],
            partition_key="study",
            raise_on_error=False,
        )
        assert done.success
        (event,) = [event for event in done.all_events if event.is_step_materialization]
        shown = event.step_materialization_data.materialization
        assert (
            shown.tags["dagster/data_version"] == project.lock["detector@study"]["outs"][0]["md5"]
        )
        assert {"AP50", "flops_per_image", "preview.png"} <= set(shown.metadata)

    ran = project.repro().stdout
    assert "Running stage 'detector@study'" not in ran
    for stage in ("relation_model@study", "masks@predicted-train", f"scores@{VARIANT}"):
        assert f"Running stage '{stage}'" in ran
    assert json.loads(project.run("dvc", "status", "--json").stdout) == {}
    made = {name: stage["outs"] for name, stage in project.lock.items()}
    assert {name: made[name] for name in oracle if name != "leaderboard"} == {
        name: outs for name, outs in oracle.items() if name != "leaderboard"
    }
    board = json.loads(project.run("semtok", "compare", "--json").stdout)
    assert {"semantic", VARIANT} <= set(board["costs"])
