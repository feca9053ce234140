"""What a registered model takes along to find masks itself, by its lineage."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from semtok.extract import raw
from semtok.params import ExtractorSettings
from semtok.tracking.lineage import Artifact, Lineage
from semtok.tracking.served_extractor import pack
from semtok.workspace import Workspace

PREDICTED = ExtractorSettings("detector", "relation_model", {"detector": {"masks": 8}})


def lineage(extractor: ExtractorSettings, models: dict[str, str]) -> Lineage:
    """Of a training whose tokens rest on an extractor."""
    artifacts = {
        "checkpoint@semantic": Artifact("", "a", inputs={"token_shards@semantic-train": "b"})
    }
    for split in ("train", "val"):
        for stage in ("masks", "scene_graphs"):
            inputs = {"images": "c", **({models[stage]: "d"} if stage in models else {})}
            params = {"data": {"name": "d"}, "extractors.own": asdict(extractor)}
            artifacts[f"{stage}@own-{split}"] = Artifact("", "e", params, inputs)
    return Lineage("checkpoint@semantic", artifacts)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """One that holds a detector and a relation model."""
    for kind in ("detector", "relation_model"):
        folder = tmp_path / "artifacts/d" / kind / "small"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "fold-0.safetensors").write_text(kind)
        (folder / "quality.json").write_text("{}")
    return Workspace(tmp_path, "d")


def packed(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != raw.NAME
    }


def test_networks_and_settings_are_taken(workspace, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    models = {"masks": "detector@small", "scene_graphs": "relation_model@small"}
    assert pack(workspace, lineage(PREDICTED, models), target)
    assert json.loads((target / raw.NAME).read_text()) == asdict(PREDICTED)
    assert packed(target) == {
        "masks/config.json": "{}",
        "masks/fold-0.safetensors": "detector",
        "scene_graphs/config.json": "{}",
        "scene_graphs/fold-0.safetensors": "relation_model",
    }


@pytest.mark.parametrize(
    ("masks", "scene_graphs", "taken"),
    [
        ("superpixels", "geometry", True),
        ("panoptic", "psg", False),
        ("instances", "geometry", False),
    ],
)
def test_annotations_cannot_be_taken(workspace, tmp_path, masks, scene_graphs, taken):
    target = tmp_path / "target"
    target.mkdir()
    made = lineage(ExtractorSettings(masks, scene_graphs), {})
    assert pack(workspace, made, target) is taken
    assert (target / raw.NAME).exists() is taken
    assert packed(target) == {}


def test_a_model_of_pixels_takes_none(workspace, tmp_path):
    assert not pack(workspace, Lineage("checkpoint@vit", {"index": Artifact("", "a")}), tmp_path)
