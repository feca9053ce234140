"""A whole small project, built once by the real commands and shared by every end-to-end test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import Once

REPO = Path(__file__).parents[2]

#: The demo, cut down to what still trains, scores and gates.
SMALL = {
    "data": {"shards": 2, "settings": {"scenes": {"size": 64, "train": 96, "val": 64}}},
    "tokenizers": {
        "grid": {"scheme": "grid", "image_size": 64},
        "semantic": {
            "scheme": "semantic",
            "image_size": 64,
            "crop_size": 8,
            "max_masks": 8,
            "max_relations": 8,
            "neighbours": 3,
        },
    },
    "encoder": {"width": 32, "depth": 2, "heads": 2, "mlp_ratio": 2.0, "embedding": 32},
    "text": {"vocabulary": 300, "context": 24, "width": 32, "depth": 1, "heads": 2},
    "train": {"steps": 60, "batch_size": 32, "warmup": 5, "log_every": 5, "save_every": 20},
    "bench": {"bootstrap": 100},
    # A model of this size need not beat guessing.
    "checks": {"scores": {"chance_level": 1.0}},
}


class Project:
    """A semtok project in a folder of its own, driven by the commands that people type."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def python_path(self) -> str:
        """Its own semtok first."""
        return os.pathsep.join([str(self.root), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(self, *command: str, check: bool = True, **env: str) -> subprocess.CompletedProcess:
        """Run a command of the environment in the project."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": self.python_path,
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
        return done

    def repro(self, *targets: str, check: bool = True) -> subprocess.CompletedProcess:
        """`dvc repro`."""
        return self.run("dvc", "repro", *targets, check=check)

    @property
    def lock(self) -> dict:
        """What `dvc.lock` says of each stage."""
        return yaml.safe_load((self.root / "dvc.lock").read_text())["stages"]

    def set_params(self, change: Callable[[dict], None]) -> None:
        """Edit `params.yaml`."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        change(params)
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def copy(self, target: Path) -> "Project":
        """The same project with all its artifacts, to be changed at will."""
        shutil.copytree(self.root, target, symlinks=True)
        return Project(target)


def new_project(root: Path) -> Project:
    """The working tree's tracked files as a project of their own, with small settings."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in files:
        if (REPO / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, root / name)
    project = Project(root)
    project.set_params(_shrink)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("git", "config", "user.email", "semtok@example.org")
    project.run("git", "config", "user.name", "semtok")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "A small project")
    return project


@pytest.fixture(scope="session")
def built(once: Once) -> Project:
    """A project after `dvc repro`. Shared: tests that change something take a copy."""
    return Project(once("built", lambda root: new_project(root).repro()))


@pytest.fixture
def project(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A built project of this test's own, and of what Dagster starts in it."""
    project = built.copy(tmp_path / "project")
    monkeypatch.setenv("PYTHONPATH", project.python_path)
    return project


def _shrink(params: dict) -> None:
    _merge(params, SMALL)
    del params["variants"]["semantic_permuted"]  # as `semantic`, to every command


def _merge(into: dict, changes: dict) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value
