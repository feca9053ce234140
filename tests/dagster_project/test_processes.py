"""Commands end with all that they started."""

import sys
from pathlib import Path

import psutil
import pytest

from dagster_project.processes import running

#: Like DVC: deaf to SIGINT while its stage runs, and gone when that has ended.
PARENT = """
import signal, subprocess, sys
stage = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(stage.pid, flush=True)
stage.wait()
"""


def test_an_interrupted_step_ends_dvc_and_its_stage(tmp_path: Path) -> None:
    pids = []
    with (
        pytest.raises(KeyboardInterrupt),
        running([sys.executable, "-c", PARENT], tmp_path, {}) as process,
    ):
        assert process.stdout
        pids = [process.pid, int(process.stdout.readline())]
        raise KeyboardInterrupt
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_output_and_errors_are_one_stream(tmp_path: Path) -> None:
    script = "import os, sys; print(os.environ['MORE']); print(os.getcwd(), file=sys.stderr)"
    with running([sys.executable, "-c", script], tmp_path, {"MORE": "more"}) as process:
        assert process.stdout
        assert process.stdout.read().split() == ["more", str(tmp_path)]
    assert process.returncode == 0


def test_commands_beside_this_python_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with running(["semtok", "--help"], tmp_path, {}) as process:
        assert process.stdout
        assert "image-text" in process.stdout.read()
