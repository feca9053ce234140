"""Weights of a model that was trained elsewhere, watched by DVC."""

import json
from pathlib import Path

import pytest
import torch

from tests.conftest import write_tiny_coco
from tests.e2e.conftest import new_project
from tests.extract import tiny_segmenters

pytestmark = pytest.mark.slow

KEY = "masks@segmented-val"


def test_changed_weights_make_masks_run_again(tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "coco")
    project = new_project(tmp_path / "project")

    def change(params: dict) -> None:
        params["data"] |= {"name": "tiny", "format": "coco", "source": str(tmp_path / "coco")}
        params["data"] |= {"shards": 1, "rejected_share": 0.2}
        settings = {"model": "frozen/tiny", "score": 0.0, "visible": 0.0}
        params["extractors"]["segmented"] = {
            "masks": "transformers",
            "scene_graphs": "geometry",
            "settings": {"transformers": settings},
        }
        reads = {"extractor": "segmented", "masks": "images", "scene_graphs": "images"}
        params["extraction"] |= {f"segmented-{split}": reads for split in params["data"]["splits"]}
        params["checks"]["masks"] = {
            "share_without_masks": 1.0,
            "share_repeated_masks": 1.0,
            "category_drift": 1.0,
        }

    def save(seed: int) -> None:
        torch.manual_seed(seed)
        tiny_segmenters.mask2former(project.root / "frozen/tiny")

    project.set_params(change)
    save(0)
    project.repro(KEY)
    first = project.lock[KEY]["outs"][0]["md5"]
    assert json.loads(project.run("dvc", "status", "--json", KEY).stdout) == {}
    assert project.run("git", "status", "--porcelain", "frozen").stdout == ""

    save(1)
    (changed,) = json.loads(project.run("dvc", "status", "--json", KEY).stdout).values()
    assert changed == [{"changed deps": {"frozen": "modified"}}]
    ran = project.repro(KEY).stdout
    assert f"Running stage '{KEY}'" in ran and "'index'" not in ran.replace("Stage 'index'", "")
    assert project.lock[KEY]["outs"][0]["md5"] != first
