"""Verdicts at rest, and who may build on what."""

import json
from pathlib import Path

import pytest

from semtok.checks.verdict import CheckResult, Verdict, read_verdict, require, write_verdict
from semtok.errors import SemtokError
from semtok.workspace import digest

GREEN = CheckResult("self_relations", True, "no mask relates to itself", 0, "at most 0", None)
RED = CheckResult("wrong_areas", False, "areas agree", 3, "at most 0", "image_id=7 mask_id=1")
UNKNOWN = CheckResult("loss_fall", False, "the loss fell", None, "at least 0.05", None)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    (folder / "000.parquet").write_bytes(b"rows")
    return folder


def verdict(artifact: Path, *checks: CheckResult) -> Verdict:
    passed = all(check.passed for check in checks)
    return Verdict("masks@annotated-train", passed, digest(artifact), checks)


def test_what_is_written_is_read(artifact: Path) -> None:
    written = verdict(artifact, GREEN, RED, UNKNOWN)
    write_verdict(artifact, written)
    assert read_verdict(artifact) == written


def test_a_green_artifact_may_be_built_on(artifact: Path) -> None:
    write_verdict(artifact, verdict(artifact, GREEN))
    assert require(artifact).passed


def test_the_reason_names_every_failure_with_an_example(artifact: Path) -> None:
    assert verdict(artifact, GREEN).reason == ""
    assert verdict(artifact, GREEN, RED, UNKNOWN).reason == (
        "wrong_areas: 3, expected at most 0, e.g. image_id=7 mask_id=1; "
        "loss_fall: no number, expected at least 0.05"
    )


def test_without_a_verdict_nothing_is_built(artifact: Path) -> None:
    with pytest.raises(SemtokError, match=r"masks: was not judged; run the stage that makes it"):
        require(artifact)


def test_nothing_is_built_on_red(artifact: Path) -> None:
    write_verdict(artifact, verdict(artifact, RED))
    with pytest.raises(SemtokError, match=r"gate is red: wrong_areas: 3.*masks@annotated-train"):
        require(artifact)


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_nothing_is_built_on_what_was_changed_after_its_gate(artifact: Path, change: str) -> None:
    write_verdict(artifact, verdict(artifact, GREEN))
    if change == "edited":
        (artifact / "000.parquet").write_bytes(b"ROWS")
    elif change == "added":
        (artifact / "001.parquet").write_bytes(b"")
    else:
        (artifact / "000.parquet").unlink()
    with pytest.raises(SemtokError, match="changed after its gate; run masks@annotated-train"):
        require(artifact)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"stage": "masks"', '{"checks": [{"name": "a"}]}', '{"checks": 1}']
)
def test_a_damaged_verdict_is_none(artifact: Path, text: str) -> None:
    (artifact / "verdict.json").write_text(text)
    with pytest.raises(SemtokError, match=r"verdict.json: no verdict"):
        read_verdict(artifact)


def test_the_same_verdict_gives_the_same_bytes(artifact: Path) -> None:
    write_verdict(artifact, verdict(artifact, GREEN, RED))
    first = (artifact / "verdict.json").read_bytes()
    write_verdict(artifact, read_verdict(artifact))
    assert (artifact / "verdict.json").read_bytes() == first
    assert json.loads(first)["stage"] == "masks@annotated-train"
