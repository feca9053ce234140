"""Dagster's door: an asset is its DVC stage."""

from collections.abc import Callable

import pytest
from dagster import DagsterInstance, ExecuteInProcessResult

from dagster_project import dvc
from semtok import pipeline

pytestmark = pytest.mark.slow

Materialize = Callable[..., ExecuteInProcessResult]


def failure(result: ExecuteInProcessResult) -> str:
    (event,) = [each for each in result.all_events if each.is_step_failure]
    return str(event.step_failure_data.error_display_string)


def test_runs_the_stage_live_and_shows_what_came_out(
    toy, materialize: Materialize, instance: DagsterInstance
) -> None:
    result = materialize(toy, "images", "index")
    assert result.success
    for stage in ("images", "index"):
        (event,) = result.asset_materializations_for_node(stage)
        assert event.tags["dagster/data_version"] == toy.line.versions()[stage, None]
        assert event.metadata["images"].value == 1
        assert event.metadata["table"].value.startswith("| image |")
        assert event.metadata["preview.png"].value.endswith("/preview.png")
    checks = result.get_asset_check_evaluations()
    assert [(*check.asset_key.path, check.passed) for check in checks] == [
        ("images", True),
        ("index", True),
    ]
    assert "up to date" in toy.dvc("status", "images", "index").stdout

    lines = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert "images says hello" in lines
    progress = [line for line in lines if line.startswith("images work: ")]
    assert len(progress) == 10
    assert progress[-1] == "images work: 100 % (100 of 100)"
    assert not [line for line in lines if "did not receive" in line]


def test_a_partition_is_its_dvc_stage(built, materialize: Materialize) -> None:
    before = built.line.versions()
    built.set("extractors.annotated.masks", "instances")
    result = materialize(built, "masks", partition="annotated-val")
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.partition) == (True, "annotated-val")
    after = built.line.versions()
    assert {key for key in after if after[key] != before[key]} == {("masks", "annotated-val")}


def test_what_dvc_has_run_is_not_run_again(built, materialize: Materialize) -> None:
    content = built.line.folder(("images", None)) / "content.txt"
    written = content.stat().st_mtime_ns
    result = materialize(built, "images")
    assert content.stat().st_mtime_ns == written
    (images,) = result.asset_materializations_for_node("images")
    assert images.tags["dagster/data_version"] == built.line.versions()["images", None]
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]


def test_names_what_to_materialize_first(toy, built, materialize: Materialize) -> None:
    text = failure(materialize(toy, "masks", partition="annotated-val"))
    assert "masks@annotated-val needs images, which is not made yet: materialize images" in text
    built.set("checks.index", {"limit": 1})
    text = failure(materialize(built, "masks", partition="annotated-val"))
    assert "needs index, which is out of date (params.yaml: checks.index" in text


def test_a_red_gate_is_a_red_check_with_its_reason(built, materialize: Materialize) -> None:
    before = built.line.versions()
    built.set("checks.images", {"fault": "images"})
    result = materialize(built, "images", "index")
    assert "images: duplicates: 1, expected at most 0, e.g. 7" in failure(result)
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.metadata["reason"].value == "duplicates: 1, expected at most 0, e.g. 7"
    assert check.metadata["duplicates"].value == 1
    assert "**NO**" in check.metadata["expectations"].value
    assert not result.asset_materializations_for_node("index")  # nothing downstream ran
    assert built.line.versions() == before


def test_says_so_and_tries_again_while_dvc_is_busy(
    toy, materialize: Materialize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dvc, "RETRY_AFTER", 0)
    monkeypatch.setattr(dvc, "RETRIES", 1)
    toy.occupy("artifacts/scenes/images")
    result = materialize(toy, "images")
    assert "another DVC process is at work (dvc repro elsewhere, PID" in failure(result)
    assert [event for event in result.all_events if event.is_step_up_for_retry]


def test_every_key_has_its_folder_and_version(built) -> None:
    line = built.line
    assert list(line.versions()) == list(pipeline.all_keys(line.params))
    for key, version in line.versions().items():
        assert line.folder(key).is_dir()
        # Scores have two outputs, the folder and the metrics.
        assert version.endswith(".dir") == (key[0] != "scores")
    built.set("data.name", "other")
    assert built.line.versions() == {}


def test_commands_outside_dvc_fail_with_their_line(
    built, materialize: Materialize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    result = materialize(built, "sync")
    assert "http://127.0.0.1:9: no MLflow server answers there" in failure(result)


def test_a_line_knows_when_its_settings_name_something_else(toy) -> None:
    line = toy.line
    assert line.is_current()
    toy.set("train.steps", 70)
    assert line.is_current()
    toy.set("data.name", "other")
    assert not line.is_current()


def test_a_line_knows_when_a_partition_reads_something_else(toy) -> None:
    """The inputs that have to be up to date are those of now."""
    line = toy.line
    toy.set("variants.semantic", {"tokenizer": "grid", "patch_size": 16})
    assert toy.line.keys == line.keys
    assert not line.is_current()
