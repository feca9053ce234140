"""Projects whose stages are named, keyed and wired like the real ones but do next to nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from dagster_project.definitions import build
from dagster_project.line import Line
from semtok import pipeline
from tests.conftest import Once

HERE = Path(__file__).parent
REPO = HERE.parents[1]


class Toy:
    """A project in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def new(cls, root: Path) -> "Toy":
        """The real dvc.yaml and params.yaml around `toy_stage.py`; nothing has run."""
        (root / ".dvc").mkdir(parents=True)
        (root / ".dvc" / "config").write_text("[core]\n no_scm = True\n analytics = False\n")
        shutil.copy(REPO / "params.yaml", root)
        shutil.copy(HERE / "toy_stage.py", root)
        stages = (REPO / "dvc.yaml").read_text()
        # Without the folder of the script on its path: sources in it are there to be watched alone.
        command = f"cmd: {sys.executable} -P toy_stage.py"
        (root / "dvc.yaml").write_text(stages.replace("cmd: semtok run", command))
        for stage in pipeline.stages().values():
            for source in ("semtok/data/scenes", *stage.source, *stage.watches):
                path = root / source
                path = path if path.suffix else path / "source.py"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("# source\n")
        return cls(root)

    @property
    def line(self) -> Line:
        """Its settings as they are now."""
        return Line.load(self.root)

    def dvc(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The other door."""
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def set(self, dotted: str, value: Any) -> None:
        """Change one setting of params.yaml."""
        path = self.root / "params.yaml"
        content = block = yaml.safe_load(path.read_text())
        *parents, last = dotted.split(".")
        for name in parents:
            block = block[name]
        block[last] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def occupy(self, path: str) -> None:
        """Let it look as if another DVC process, this one, was writing `path`."""
        holder = {"pid": os.getpid(), "cmd": "dvc repro elsewhere"}
        lock = {"write": {str(self.root / path): holder}, "read": {}}
        (self.root / ".dvc" / "tmp").mkdir(exist_ok=True)
        (self.root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(lock))


@pytest.fixture(scope="session")
def _built(once: Once) -> Toy:
    def build(root: Path) -> None:
        done = Toy.new(root).dvc("repro")
        assert done.returncode == 0, done.stdout + done.stderr

    return Toy(once("toy", build))


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """Nothing has run."""
    return Toy.new(tmp_path / "toy")


@pytest.fixture
def built(_built: Toy, tmp_path: Path) -> Toy:
    """After `dvc repro`, of which Dagster knows nothing."""
    shutil.copytree(_built.root, tmp_path / "built")
    return Toy(tmp_path / "built")


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def materialize(instance: DagsterInstance) -> Callable[..., ExecuteInProcessResult]:
    """Materialize assets of a project in one run."""

    def run(toy: Toy, *stages: str, partition: str | None = None) -> ExecuteInProcessResult:
        job = build(toy.root).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=instance,
            asset_selection=[AssetKey(stage) for stage in stages],
            partition_key=partition,
            raise_on_error=False,
        )

    return run
