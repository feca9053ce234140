"""`make study`: what it installs, and what is left when a stage fails."""

import subprocess
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What `make study` would run in a fresh clone, line by line."""
    venv = tmp_path_factory.mktemp("clone") / "venv"
    command = ["make", "--dry-run", "study", "SIZE=tiny", f"VENV={venv}"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_it_installs_what_the_reference_is_built_with(shown: list[str]) -> None:
    extras = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    (install,) = (line for line in shown if "pip install" in line)
    names = install.rpartition("[")[2].partition("]")[0].split(",")
    installed = {each for name in names for each in extras["optional-dependencies"][name]}
    assert {"transformers", "dvc"} <= installed


@pytest.mark.parametrize(("repro", "report"), [(0, 0), (255, 0), (0, 1), (255, 1)])
def test_the_report_is_written_whatever_fails(
    shown: list[str], tmp_path: Path, repro: int, report: int
) -> None:
    (line,) = (each for each in shown if each.startswith("dvc repro"))
    for name, status in (("dvc", repro), ("semtok", report)):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\necho {name} "$@"\nexit {status}\n')
        script.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "dvc repro --keep-going",
        "semtok study tiny --report",
    ]
    assert done.returncode == (report or repro)
