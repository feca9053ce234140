"""The line on class folders by the commands that people type: index, train, score, predict."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from semtok.data import scene_classes
from tests.e2e.conftest import REPO, new_project

pytestmark = pytest.mark.slow

TRAIN = {"steps": 40, "batch_size": 16, "warmup": 2, "learning_rate": 3.0e-3}
CLASSES = {"3 or fewer": 3, "4": 4, "5": 5, "6": 6, "7 or more": 7}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Class folders of scenes by their number of things: train/4/000000000001.jpg."""
    made, root = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("pictures")
    scene_classes.write(
        made, scene_classes.Settings(seed=1, size=48, train=140, val=100, label="count")
    )
    for source, target in (("train2017", "train"), ("val2017", "val")):
        captions = json.loads((made / f"annotations/captions_{source}.json").read_text())
        names = {each["id"]: each["file_name"] for each in captions["images"]}
        for each in captions["annotations"]:
            folder = root / target / str(CLASSES[each["caption"]])
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(made / source / names[each["image_id"]], folder)
    return root


def test_class_folders_go_through_the_line(pictures, tmp_path) -> None:
    project = new_project(tmp_path / "project")

    def change(params: dict) -> None:
        page = (REPO / "docs/classification.md").read_text(encoding="utf-8")
        lines = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
        for block, own in lines.items():
            params[block] = (params[block] | own) if block in ("data", "text", "bench") else own
        params["data"] |= {"name": "own", "source": str(pictures)}
        params["data"]["settings"]["class_folders"]["ordered"] = True
        params["tokenizers"]["grid"]["image_size"] = 64
        params["train"] |= TRAIN

    project.set_params(change)
    project.repro()
    metrics = json.loads((project.root / "metrics/own/vit.json").read_text())
    assert set(metrics) == {"classification", "knn", "linear_probe"}
    for each in metrics.values():
        assert set(each["test"]["class"]) == {"R@1", "kappa", "quadratic_kappa"}
    table = project.run("semtok", "compare").stdout
    assert "classification, test: class" in table
    assert "quadratic kappa" in table

    image = next((pictures / "val/5").iterdir())
    told = project.run("semtok", "predict", str(image), "--variant", "vit").stdout.splitlines()
    assert len(told) == 5
    shares = [float(line.split("%")[0]) for line in told]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert {line.split()[-1] for line in told} == set("34567")
    # Pictures of third parties are listed where they lie.
    assert not list((project.root / "artifacts/own/images").rglob("*.jpg"))
    status = project.run("dvc", "status").stdout
    assert status.strip() == "Data and pipelines are up to date."

    (pictures / "val/8").mkdir()
    shutil.copy(image, pictures / "val/8")
    failed = project.run("dvc", "repro", "index", check=False)
    assert "val/8: no class of train; add train/8" in failed.stdout + failed.stderr
