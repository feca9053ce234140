"""A study through DVC: killed on its way, reported half done, and gone on with."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Project

pytestmark = pytest.mark.slow

#: The variants of the small project and one more, on the data and tokens that it has.
STUDY = {
    "all": {
        "variants": {"regions": {"tokenizer": "semantic"}},
        "train": {"seeds": [0, 1], "steps": 120, "save_every": 10},
    },
    "sizes": {"tiny": {"encoder": {"width": 32}}},
}


def test_a_killed_study_goes_on_where_it_was(project: Project) -> None:
    (project.root / "study.yaml").write_text(yaml.safe_dump(STUDY))
    shown = project.run("make", "--dry-run", "study", "SIZE=tiny").stdout.splitlines()
    (write,) = (shlex.split(line) for line in shown if line.startswith("semtok study"))
    (last,) = (line.split("; ") for line in shown if line.startswith("dvc repro"))
    repro, report = shlex.split(last[0]), shlex.split(last[-1].partition(" && ")[0])
    project.run(*write)
    # What the demo has scored in this folder, by other settings, is no part of the study.
    refused = project.run(*report, check=False)
    assert "no variant of the study tiny was scored" in refused.stderr

    trained = kill_in_the_second_variant(project, repro)
    first = project.lock[f"checkpoint@{trained[0]}"]
    done = project.run(*repro)
    assert "training goes on after step" in done.stdout + done.stderr
    assert project.lock[f"checkpoint@{trained[0]}"] == first
    assert project.run("dvc", "status", "--quiet", check=False).returncode == 0
    project.run(*report)
    text = (project.root / "docs/study.md").read_text()
    assert "Smoke run (2 seeds" in text and "partial" not in text
    assert "`regions` − `vit`" in text


def kill_in_the_second_variant(project: Project, repro: list[str]) -> list[str]:
    """Kill DVC and all that it has started; returns the variants that had begun to train."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    running = subprocess.Popen(
        repro, cwd=project.root, env={**os.environ, "PATH": path}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    states = project.root / ".semtok/resume/scenes"
    begun: list[str] = []
    while len(begun) < 2:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.05)
            pytest.fail("the study ended before its second variant had begun")
        names = {
            Path(folder).relative_to(states).parts[0]
            for folder, _, files in os.walk(states)  # a training that ends deletes as we look
            if any(each.endswith(".safetensors") for each in files)
        }
        begun += sorted(names - set(begun))
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    return begun
