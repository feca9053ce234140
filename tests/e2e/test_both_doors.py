"""One pipeline, two doors: what DVC runs Dagster knows, and the other way round."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from dagster_project.definitions import build
from semtok.workspace import stage_key

pytestmark = pytest.mark.slow

Run = Callable[..., ExecuteInProcessResult]


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def dagster(project: Any, instance: DagsterInstance) -> Run:
    """Materialize assets, or run a job, as Dagster's own processes do."""

    def run(*assets: str, job: str = "", partition: str | None = None) -> ExecuteInProcessResult:
        defs = build(project.root)
        found = defs.get_job_def(job) if job else defs.resolve_implicit_global_asset_job_def()
        return found.execute_in_process(
            instance=instance,
            asset_selection=[AssetKey(asset) for asset in assets] or None,
            partition_key=partition,
            raise_on_error=False,
        )

    return run


def shown(result: ExecuteInProcessResult) -> dict[str, str]:
    """The data version of each key that a run reported."""
    found = {}
    for event in result.all_events:
        if event.is_step_materialization:
            tags = event.step_materialization_data.materialization.tags
            name = stage_key(event.asset_key.path[0], event.partition)
            found[name] = tags["dagster/data_version"]
    return found


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.error_display_string)


def red_checks(result: ExecuteInProcessResult) -> dict[str, str]:
    """Each red check of a run and its reason."""
    checks = [
        event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    return {
        stage_key(check.asset_key.path[0], check.partition): str(check.metadata["reason"].value)
        for check in checks
        if not check.passed
    }


def test_what_dvc_ran_dagster_knows_by_the_same_hashes(project: Any, dagster: Run) -> None:
    hashes = {name: [out["md5"] for out in stage["outs"]] for name, stage in project.lock.items()}
    known = shown(dagster(job="report_outside_runs"))
    assert known.keys() == hashes.keys()
    for name, (first, *others) in hashes.items():
        assert known[name] == first or others  # the scores' version is one over two outputs
    assert shown(dagster(job="report_outside_runs")) == {}


def test_what_dagster_ran_is_up_to_date_for_dvc(project: Any, dagster: Run) -> None:
    project.set_params(lambda params: params["checks"]["leaderboard"].update(block_difference=0.01))
    result = dagster("leaderboard")
    assert shown(result) == {"leaderboard": project.lock["leaderboard"]["outs"][0]["md5"]}
    assert project.run("dvc", "status").stdout == "Data and pipelines are up to date.\n"
    assert "Running stage" not in project.repro().stdout


@pytest.mark.parametrize("door", ["dvc", "dagster"])
def test_a_fault_stops_the_line_and_the_last_good_artifact_stays(
    project: Any, dagster: Run, door: str
) -> None:
    dagster(job="report_outside_runs")
    key, before = "scene_graphs@annotated-val", project.lock
    folder = project.root / "artifacts/scenes/extraction/annotated-val/scene_graphs"
    content = (folder / "verdict.json").read_bytes()
    project.set_params(
        lambda params: params["checks"]["scene_graphs"].update(distinct_predicates=999)
    )
    reason = "distinct_predicates"
    if door == "dvc":
        done = project.repro(key, check=False)
        assert done.returncode != 0
        assert reason in done.stderr
        result = dagster(job="report_outside_runs")
    else:
        result = dagster("scene_graphs", partition="annotated-val")
        assert reason in failure(result)
    ((red, why),) = red_checks(result).items()
    assert (red, reason in why) == (key, True)
    assert shown(result) == {}
    assert (folder / "verdict.json").read_bytes() == content
    assert project.lock[key] == before[key]
    # What is downstream does not run, whichever door it is started from.
    assert f"{key}, which is out of date" in failure(
        dagster("token_shards", partition="semantic-val")
    )
    assert (
        "token_shards@semantic-val"
        not in project.repro("token_shards@semantic-val", check=False).stdout
    )


def test_a_training_that_learns_nothing_is_not_published(project: Any, dagster: Run) -> None:
    weights = project.root / "artifacts/scenes/checkpoint/vit/seed-0/model.safetensors"
    before = weights.read_bytes()
    project.set_params(lambda params: params["train"].update(learning_rate=1e-12))
    result = dagster("checkpoint", partition="vit")
    assert red_checks(result).keys() == {"checkpoint@vit"}
    assert "artifacts/scenes/checkpoint/vit is as it was" in failure(result)
    assert weights.read_bytes() == before
