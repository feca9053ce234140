"""Toy projects, new and built, and a Dagster instance in memory."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult
from toy_project import Toy

from dagster_project.definitions import build

Materialize = Callable[..., ExecuteInProcessResult]


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    toy = Toy.new(tmp_path_factory.mktemp("built") / "toy")
    done = toy.dvc("repro")
    assert done.returncode == 0, done.stdout + done.stderr
    return toy


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
def materialize(instance: DagsterInstance) -> Materialize:
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
