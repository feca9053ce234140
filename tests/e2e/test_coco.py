"""The whole line on real COCO images, by the documented command."""

import json
import re
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.e2e.conftest import REPO, new_project

pytestmark = pytest.mark.slow


def documented_command(root: Path) -> str:
    """What `make coco` runs between the installation and the table."""
    recipe = subprocess.run(
        ["make", "--dry-run", "coco", f"COCO={root}", "SET=checks.scores.chance_level=1"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"^dvc exp run.*?[^\\]$", recipe, flags=re.MULTILINE | re.DOTALL)
    assert found, recipe
    return found[0]


def test_the_line_runs_on_a_coco_root(coco_sample: Path, tmp_path: Path) -> None:
    project = new_project(tmp_path / "coco")
    project.run("sh", "-c", documented_command(coco_sample.resolve()))
    artifacts = project.root / "artifacts/coco"
    costs = json.loads(project.run("semtok", "compare", "--json").stdout)["costs"]
    assert set(costs) == {"vit", "semantic"}
    splits = pl.read_parquet(artifacts / "index/splits.parquet")["split"].value_counts()
    assert dict(splits.iter_rows())["train"] == 235
    relations = pl.read_parquet(artifacts / "extraction/annotated-val/scene_graphs/0*.parquet")
    assert relations["source"].unique().to_list() == ["geometry"]
    # Listed by hash where they lie, not copied.
    assert not list((artifacts / "images").rglob("*.jpg"))
    assert json.loads(project.run("dvc", "status", "--json").stdout) == {}
