"""The jobs that let DVC decide what runs."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from dagster import DagsterInstance, ExecuteInProcessResult

from dagster_project.definitions import build
from semtok.workspace import stage_key

pytestmark = pytest.mark.slow

Run = Callable[..., ExecuteInProcessResult]


@pytest.fixture
def run(instance: DagsterInstance) -> Run:
    def run(toy: Any, job: str, **config: Any) -> ExecuteInProcessResult:
        return (
            build(toy.root)
            .get_job_def(job)
            .execute_in_process(
                instance=instance,
                run_config={"ops": config} if config else None,
                raise_on_error=False,
            )
        )

    return run


def shown(result: ExecuteInProcessResult) -> list[str]:
    """The artifacts that a run reported, in order."""
    events = [event for event in result.all_events if event.is_step_materialization]
    return [stage_key(event.asset_key.path[0], event.partition) for event in events]


def test_line_runs_what_is_out_of_date_and_shows_it_live(built, run: Run) -> None:
    every = [stage_key(*key) for key in built.line.keys]
    built.set("bench.confidence", 0.9)
    result = run(built, "line")
    assert result.success
    assert shown(result) == every  # Dagster knew of none
    names = [event.event_type_value for event in result.all_events]
    first = names.index("ASSET_MATERIALIZATION")
    assert "LOGS_CAPTURED" in names[:first]
    assert "up to date" in built.dvc("status").stdout
    assert shown(run(built, "line")) == []


def test_line_stops_at_a_red_gate(built, run: Run) -> None:
    run(built, "report_outside_runs")
    built.set("checks.scores", {"fault": "vit"})
    result = run(built, "line")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "scores@vit: duplicates: 1, expected at most 0" in str(
        failure.step_failure_data.error_display_string
    )
    (check,) = [
        event.asset_check_evaluation_data
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    assert (check.asset_key.path, check.partition, check.passed) == (["scores"], "vit", False)
    assert shown(result) == []


def test_new_variant_makes_that_variant_alone(built, run: Run) -> None:
    run(built, "report_outside_runs")
    built.set("variants.wide", {"tokenizer": "grid", "patch_size": 32})
    built.set("variants.vit.patch_size", 32)  # out of date, and no matter of this job
    result = run(built, "new_variant", train_and_rank={"config": {"variant": "wide"}})
    assert shown(result) == ["checkpoint@wide", "scores@wide", "leaderboard"]
    stale = built.dvc("status", "--json", "checkpoint@vit", "leaderboard").stdout
    assert list(json.loads(stale)) == ["checkpoint@vit"]


def test_new_variant_says_which_there_are(built, run: Run) -> None:
    result = run(built, "new_variant", train_and_rank={"config": {"variant": "wade"}})
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    text = str(failure.step_failure_data.error_display_string)
    assert "there is no 'wade'; there are vit, semantic, semantic_permuted" in text


def test_rescore_asks_models_that_were_trained_elsewhere_too(built, run: Run) -> None:
    run(built, "report_outside_runs")
    (built.root / "weights").mkdir()
    (built.root / "weights/config.json").write_text("{}")
    built.set("models.own", {"folder": "weights"})
    assert shown(run(built, "rescore")) == ["outside_scores@own", "leaderboard"]
    assert "up to date" in built.dvc("status").stdout
    (built.root / "weights/config.json").write_text("{ }")
    assert "outside_scores@own" in built.dvc("status").stdout  # DVC watches the weights


def test_rescore_ranks_once_every_variant_has_scores(
    built, run: Run, instance: DagsterInstance
) -> None:
    run(built, "report_outside_runs")
    built.set("variants.wide", {"tokenizer": "grid", "patch_size": 32})
    built.set("bench.confidence", 0.9)
    result = run(built, "rescore")
    assert result.success
    lines = [entry.user_message for entry in instance.all_logs(result.run_id)]
    worked = [line.split()[0] for line in lines if line.endswith("says hello")]
    assert worked == ["scores@vit", "scores@semantic", "scores@semantic_permuted"]
    (line,) = [line for line in lines if line.startswith("no leaderboard")]
    assert line.startswith("no leaderboard: there are no scores of wide yet")


def test_rescore_trains_nothing(built, run: Run) -> None:
    run(built, "report_outside_runs")
    built.set("train.steps", 70)  # every checkpoint is out of date
    built.set("bench.confidence", 0.9)
    result = run(built, "rescore")
    assert result.success
    assert not [name for name in shown(result) if name.startswith("checkpoint")]
    assert "checkpoint@vit" in built.dvc("status", "--json", "checkpoint@vit").stdout
