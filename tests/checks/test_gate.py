"""The gate as its own process."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from semtok.checks import subject
from semtok.checks.gate import Gate
from semtok.checks.judging import Judge
from semtok.checks.verdict import require, write_verdict
from semtok.errors import SemtokError
from semtok.workspace import digest
from tests.checks import tiny_line
from tests.checks.planted import masks

KEY = "masks@annotated-train"
SETTINGS = {"share_without_masks": 0.25}


@pytest.mark.slow
def test_one_process_judges_and_a_crash_is_told(
    line: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # One process for all of it: Great Expectations takes seconds to import.
    inputs = tiny_line.inputs(line, KEY)
    artifact = tmp_path / "masks"
    shutil.copytree(line / KEY, artifact)
    with Gate("masks", SETTINGS) as gate:
        green = gate.judge(artifact, inputs)
        assert (green.stage, green.passed, green.digest) == (KEY, True, digest(artifact))
        assert len(green.checks) == 18
        assert all(check.description for check in green.checks)
        write_verdict(artifact, green)
        assert require(artifact) == green

        fault = next(fault for fault in masks.FAULTS if fault.name == "wrong_areas")
        fault.plant(artifact)
        red = gate.judge(artifact, inputs)
        assert not red.passed
        assert red.reason.startswith("wrong_areas: 1, expected at most 0, e.g. image_id=1")
        with pytest.raises(SemtokError, match="changed after its gate"):
            require(artifact)

        (artifact / "000.parquet").write_bytes(b"cut off")
        with pytest.raises(SemtokError, match=r"000.parquet: unreadable"):
            gate.judge(artifact, inputs)

        assert capfd.readouterr().err == ""
        (artifact / "provenance.json").write_text('{"stage": "masks@a-train", "params": {}}')
        (artifact / "000.parquet").unlink()
        with pytest.raises(SemtokError, match=r"masks: its gate stopped .* code 1: KeyError"):
            gate.judge(artifact, inputs)
        assert "Traceback" in capfd.readouterr().err
        with pytest.raises(SemtokError, match="its gate stopped"):
            gate.judge(artifact, inputs)


@pytest.mark.slow
def test_the_code_that_runs_is_judged_by_the_same(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "semtok").mkdir()
    (tmp_path / "semtok/__init__.py").write_text("raise SystemExit('another semtok')")
    monkeypatch.chdir(tmp_path)
    with Gate("images", {}) as gate:
        assert gate.judge(line / "images", {}).passed


@pytest.mark.slow
def test_the_worker_says_nothing_but_its_answer_and_ends_with_its_input(line: Path) -> None:
    request = {"artifact": str(line / "images"), "inputs": {}, "settings": {}}
    done = subprocess.run(
        [sys.executable, "-m", "semtok.checks.worker", "images"],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    (answer,) = done.stdout.splitlines()
    assert json.loads(answer)["stage"] == "images"
    assert done.stderr == ""


@pytest.mark.slow
def test_a_worker_that_is_ready_has_not_loaded_what_no_suite_needs() -> None:
    code = (
        "import sys; from semtok.checks import worker; worker._get_ready('images'); "
        "sys.exit('altair.vegalite' in sys.modules or 'scipy.optimize' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_settings_are_told_before_any_work() -> None:
    with pytest.raises(SemtokError, match=r"checks.masks: shares: unknown key"):
        Gate("masks", {"shares": 0.1})
    with pytest.raises(SemtokError, match=r"checks.scores: chance_level: .*valid number"):
        Gate("scores", {"chance_level": "low"})


def test_judging_needs_no_network(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from semtok.checks import images

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    frames = images.summarise(subject.read(line / "images", {}))
    assert all(each.passed for each in Judge().judge(frames, images.suite(images.Settings())))
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_a_mistake_in_a_suite_is_no_verdict(line: Path) -> None:
    from semtok.checks import images

    frames = images.summarise(subject.read(line / "images", {}))
    frames["files"] = frames["files"].drop("empty_files")
    with pytest.raises(RuntimeError, match="empty_files"):
        Judge().judge(frames, images.suite(images.Settings()))


@pytest.mark.parametrize("text", [None, "", "[]", '{"stage": "masks@a-train"}'])
def test_an_artifact_without_provenance_is_not_judged(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(SemtokError, match=r"provenance.json: (missing|no provenance)"):
        subject.read(tmp_path, {})


def test_a_missing_input_is_named(line: Path) -> None:
    judged = subject.read(line / KEY, {"masks@other-val": line / KEY})
    assert judged.split == "train"
    assert judged.input("masks", "val") == line / KEY
    assert judged.find("masks", "train") is None
    with pytest.raises(SemtokError, match=rf"{KEY}: its gate was not given index"):
        judged.input("index")
