"""`make coco`: what it tells DVC of a root and of a data set's name."""

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

REPO = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "root", ["coco", "my data/a=b (c), {d} [e]", "a:b #c & d"], ids=["plain", "shell", "yaml"]
)
def test_a_root_of_any_name_is_set_as_it_is_called(root: str, tmp_path: Path) -> None:
    (tmp_path / root / "annotations").mkdir(parents=True)
    found = settings(
        tmp_path, f"COCO={tmp_path / root}", "NAME=mine", "SET=train.steps=4 train.warmup=1"
    )
    told = {"name": "mine", "format": "coco", "source": str(tmp_path / root)}
    assert found["data"].items() >= told.items()
    assert (found["train"]["steps"], found["train"]["warmup"]) == (4, 1)
    assert found["bench"]["benchmarks"] == ["retrieval"]


@pytest.mark.parametrize(
    ("folder", "images", "shards"), [("train2017", 300, 4), ("train2014", 10_300, 5), ("x", 9, 4)]
)
def test_large_splits_have_more_shards(
    folder: str, images: int, shards: int, tmp_path: Path
) -> None:
    root = tmp_path / "a root"
    for each in ("annotations", folder):
        (root / each).mkdir(parents=True)
    for number in range(images):
        (root / folder / f"{number}.jpg").touch()
    assert settings(tmp_path, f"COCO={root}")["data"]["shards"] == shards
    own = settings(tmp_path, f"COCO={root}", "SET=data.shards=9")
    assert own["data"]["shards"] == 9


def test_it_is_called_coco_unless_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    assert settings(tmp_path, f"COCO={tmp_path}")["data"]["name"] == "coco"
    found = settings(tmp_path, "COCO=fetch")
    assert found["data"]["source"] == "semtok/data/sources"
    assert found["data"]["fetch"] == ["coco", "coco/karpathy"]
    assert found["data"]["shards"] == 60


def settings(tmp_path: Path, *variables: str) -> dict:
    """What DVC makes of the settings that it would be given."""
    venv = tmp_path / "venv"
    command = ["make", "--dry-run", "coco", f"VENV={venv}", *variables]
    shown = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    line = shown[shown.index("dvc exp run") : shown.index("\nsemtok compare")]
    stub = tmp_path / "dvc"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = done.stdout.splitlines()
    params = Path(shutil.copy(REPO / "params.yaml", tmp_path))
    apply_overrides(params, [each for before, each in pairwise(told) if before == "-S"])
    found: dict = yaml.safe_load(params.read_text())
    return found
