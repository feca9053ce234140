"""Predicted extraction from both doors."""

import json

import pytest
from dagster import AssetKey, DagsterInstance

from dagster_project.definitions import build
from tests.e2e.conftest import Project
from tests.test_predicted import predicted

pytestmark = pytest.mark.slow


def test_dagster_trains_a_detector_and_dvc_goes_on_from_there(project: Project) -> None:
    project.set_params(predicted)
    with DagsterInstance.ephemeral() as instance:
        job = build(project.root).resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=instance,
            asset_selection=[AssetKey("detector")],
            partition_key="study",
            raise_on_error=False,
        )
    assert done.success
    (event,) = [event for event in done.all_events if event.is_step_materialization]
    shown = event.step_materialization_data.materialization
    made = project.lock["detector@study"]["outs"][0]["md5"]
    assert shown.tags["dagster/data_version"] == made
    assert {"AP50", "flops_per_image", "preview.png"} <= set(shown.metadata)

    target = "token_shards@semantic_predicted-val"
    ran = project.repro(target).stdout
    assert "Running stage 'detector@study'" not in ran
    for stage in ("relation_model@study", "masks@predicted-val", target):
        assert f"Running stage '{stage}'" in ran
    assert "masks@annotated-val" not in ran
    assert json.loads(project.run("dvc", "status", "--with-deps", "--json", target).stdout) == {}
