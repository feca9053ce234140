"""`semtok data`: what it prints, on a root written by hand."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from semtok.cli import app
from tests.conftest import write_tiny_coco

REPO = Path(__file__).parents[1]


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["--project", str(REPO), "data", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Nine images of COCO with relations of PSG, and Karpathy's splits of all of them."""
    write_tiny_coco(tmp_path)
    splits = {1: "train", 2: "restval", 6: "test", 7: "test", 8: "val", 10: "train"}
    images = [{"cocoid": image, "split": split} for image, split in splits.items()]
    (tmp_path / "annotations/dataset_coco.json").write_text(json.dumps({"images": images}))
    return tmp_path


def test_check_prints_states_remedies_and_overlaps(root: Path) -> None:
    status, text = run("check", "coco", "psg", "--root", str(root))
    assert status == 3
    assert text.splitlines() == [
        str(root),
        "there    coco: annotations_trainval2017.zip: "
        "2 files annotations/captions_*2017.json, 2 files annotations/instances_*2017.json",
        "missing  coco: val2017.zip: 4 of 5,000 files val2017/*.jpg; "
        f"semtok data fetch coco --root {root}",
        "missing  coco: train2017.zip: 5 of 118,287 files train2017/*.jpg; "
        f"semtok data fetch coco --root {root}",
        "there    psg: psg.json: annotations/psg.json",
        "",
        "Images of COCO, by Karpathy's split",
        "                  images   train     val    test",
        "psg                    5       3       1       1",
    ]
    status, text = run("check", "psg", "--root", str(root), "--json")
    assert status == 0
    assert json.loads(text)["overlaps"] == [
        {"source": "psg", "images": 5, "train": 3, "val": 1, "test": 1}
    ]


def test_sources_as_a_table_for_programs() -> None:
    status, text = run("sources", "--json")
    assert status == 0
    (row,) = [each for each in json.loads(text) if each["file"] == "train2017.zip"]
    assert (row["source"], row["bytes"], row["access"]) == ("coco", 19_336_861_798, "open")


@pytest.mark.parametrize("command", ["fetch", "check"])
def test_nothing_to_fetch_is_said(command: str) -> None:
    done = CliRunner().invoke(app, ["--project", str(REPO), "data", command, "--root", "nowhere"])
    assert "name some sources, or name them in data.fetch" in str(done.exception)
    done = CliRunner().invoke(app, ["--project", str(REPO), "data", command, "coco"])
    assert "name a root with --root DIR" in str(done.exception)
    done = CliRunner().invoke(app, ["--project", str(REPO), "data", command, "coco", "nosuch"])
    assert str(done.exception).startswith("nosuch: no such source; there are aro, ")


def test_make_coco_can_fetch_its_root() -> None:
    command = ["make", "--dry-run", "coco", "COCO=fetch"]
    recipe = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert "-S data.source=semtok/data/sources -S 'data.fetch=[coco,coco/karpathy]' " in recipe
