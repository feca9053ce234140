"""What torchrun has trained, taken over by DVC."""

import json

import pytest

from tests.e2e.conftest import Project

pytestmark = pytest.mark.slow


def test_what_torchrun_publishes_dvc_records_and_the_line_goes_on_from(project: Project) -> None:
    key = "checkpoint@vit"
    before = project.lock[key]
    launch = ["torchrun", "--standalone", "--nproc-per-node", "2", "--no-python"]
    done = project.run(*launch, "semtok", "run", "--publish", key, OMP_NUM_THREADS="1")
    folder = project.root / "artifacts/scenes/checkpoint/vit"
    assert done.stdout.splitlines()[-1] == f"{key}: {folder}; dvc commit -f {key} records it"
    assert json.loads((folder / "seed-0/training.json").read_text())["processes"] == 2
    assert not (project.root / ".semtok/scratch").exists()
    assert key in json.loads(project.run("dvc", "status", "--json").stdout)
    project.run("dvc", "commit", "-f", key)
    after = project.lock[key]
    assert after["outs"] != before["outs"]
    assert {name: after[name] for name in ("cmd", "deps", "params")} == {
        name: before[name] for name in ("cmd", "deps", "params")
    }
    ran = project.repro("scores@vit").stdout
    assert "Running stage 'scores@vit'" in ran
    assert f"Running stage '{key}'" not in ran
    assert json.loads(project.run("dvc", "status", "--json", "scores@vit").stdout) == {}
