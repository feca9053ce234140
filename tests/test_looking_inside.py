"""What the commands that look inside models say of trained ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ViTImageProcessorPil
from typer.testing import CliRunner

from semtok import params_file, pipeline
from semtok.bench.background import BACKGROUND
from semtok.bench.cases import CASES, metrics
from semtok.cli import app
from semtok.errors import SemtokError
from semtok.tables import read_table
from tests import small_line
from tests.models.test_patch_tokens import MODELS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A little line with patches in it, trained and no more."""
    root = tmp_path_factory.mktemp("project") / "line"
    document = small_line.own()
    document["variants"] = {
        "vit": {"tokenizer": "grid", "patch_size": 16, "registers": 2},
        "masked": {"tokenizer": "related", "patch_size": 16, "key_mask": "foreground"},
    }
    document["tokenizers"]["related"] = {
        "scheme": "grid_relations",
        "image_size": 128,
        "cell_size": 16,
        "max_masks": 3,
        "max_relations": 4,
    }
    # Panoptic masks of scenes leave no background: objects do.
    document["extractors"]["objects"] = {"masks": "instances", "scene_graphs": "geometry"}
    found = {"extractor": "objects", "masks": "images", "scene_graphs": "images"}
    for split in ("train", "val", "test"):
        document["extraction"][f"objects-{split}"] = found
        reads = {"tokenizer": "related", "reads": f"extraction/objects-{split}"}
        document["token_shards"][f"related-{split}"] = reads
    document = small_line.shrunk(document)
    document["bench"]["benchmarks"] += ["saliency", "corloc"]
    document["bench"]["settings"] = {"saliency": {"tau": 0.4}, "corloc": {"bias": "none"}}
    for each in document["variants"].values():
        each["patch_size"] = 8
    small_line.start(root, document)
    params = params_file.load(root / "params.yaml")
    for key in pipeline.upstream(params, ("checkpoint", "vit"), ("scores", "masked")):
        small_line.run(root, *key)
    torch.manual_seed(0)
    MODELS["registers"]().save_pretrained(root / "models/registers")
    ViTImageProcessorPil(size={"height": 12, "width": 12}).save_pretrained(
        root / "models/registers"
    )
    return root


def run(project: Path, *arguments: str) -> str:
    found = CliRunner().invoke(app, ["--project", str(project), *arguments], catch_exceptions=False)
    return found.output


def test_artifacts_of_a_variant_and_of_a_models_folder(project, tmp_path):
    picture = tmp_path / "artifacts.png"
    found = json.loads(run(project, "artifacts", "vit", "--json", "--png", str(picture)))
    assert (found["images"], found["rows"], found["columns"]) == (16, 4, 4)
    assert sum(found["counts"]) == 16 * 16
    assert picture.read_bytes()[:4] == b"\x89PNG"
    theirs = run(project, "artifacts", "models/registers", "--split", "test")
    assert theirs.splitlines()[0] == "8 images of 3 x 3 patches"


def test_a_picture_of_another_suffix_is_refused_before_anything_is_computed(
    project, tmp_path, monkeypatch
):
    from semtok.train import checkpoint

    monkeypatch.delattr(checkpoint, "load")  # no model is read
    for words in (("artifacts", "vit", "--png"), ("attention", "masked", "--png")):
        for name in ("a.pdf", "picture"):
            told = rf"{name}: pictures are PNGs; give it a name that ends in \.png$"
            with pytest.raises(SemtokError, match=told):
                run(project, *words, str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_attention_on_background_of_a_masked_variant(project, tmp_path):
    picture = tmp_path / "heat.png"
    found = json.loads(run(project, "attention", "masked", "--json", "--png", str(picture)))
    masses = {"last_block": 0.0, "all_blocks": 0.0, "rollout": 0.0}
    assert found["masked"].pop("background") > 0
    assert found["masked"] == masses
    assert picture.read_bytes()[:4] == b"\x89PNG"
    line = run(project, "attention", "masked", "--split", "test")
    assert line.startswith("masked: background 0.")
    assert line.endswith("last block 0.0000, all blocks 0.0000, rollout 0.0000\n")
    with pytest.raises(SemtokError, match="vit: tells no foreground; name variants of a tokenizer"):
        run(project, "attention", "vit")


def test_lost_of_a_variant_and_of_a_models_folder(project, tmp_path):
    for kind in ("Annotations", "JPEGImages"):
        (tmp_path / kind).mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "JPEGImages/a.png")
    sides = {"xmin": 1, "ymin": 1, "xmax": 40, "ymax": 30}
    box = "".join(f"<{name}>{at}</{name}>" for name, at in sides.items())
    (tmp_path / "Annotations/a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>40</width><height>30</height></size>"
        f"<object><bndbox>{box}</bndbox></object></annotation>"
    )
    # A percentile of 0 makes all products positive, and the whole image one object.
    found = json.loads(run(project, "lost", "vit", str(tmp_path), "--bias", "0", "--json"))
    assert found["corloc"] == 1
    assert found["boxes"] == {"a.png": [0, 0, 40, 30]}
    assert found["floor"] == 1
    instances = tmp_path / "instances.json"
    image = {"id": 1, "file_name": "a.png", "width": 40, "height": 30}
    boxes = [{"image_id": 1, "bbox": [0, 0, 20, 15], "iscrowd": 0}]
    instances.write_text(json.dumps({"images": [image], "annotations": boxes}))
    (tmp_path / "listed.txt").write_text("train2014/a.png\n")
    of_coco = ("--instances", str(instances), "--listed", str(tmp_path / "listed.txt"))
    shown = (str(tmp_path / "JPEGImages"), *of_coco, "--bias", "0", "--json")
    found = json.loads(run(project, "lost", "vit", *shown))
    assert (found["images"], found["corloc"], found["floor"]) == (1, 0, 0)
    with pytest.raises(SemtokError, match=r"--listed x: names images of --instances; give both"):
        run(project, "lost", "vit", str(tmp_path), "--listed", "x")
    line = run(project, "lost", "models/registers", str(tmp_path), "--features", "values")
    assert line.startswith("CorLoc ")
    with pytest.raises(SemtokError, match="its tokens need more than pixels"):
        run(project, "lost", "masked", str(tmp_path))


def test_saliency_of_a_variant_and_of_a_models_folder(project, tmp_path):
    random, truth = np.random.default_rng(0), np.zeros((30, 40), np.uint8)
    truth[5:20, 10:30] = 255
    for name in ("images", "ground_truth_mask"):
        (tmp_path / name).mkdir()
    Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "images/a.jpg")
    Image.fromarray(truth).save(tmp_path / "ground_truth_mask/a.png")
    picture = tmp_path / "saliency.png"
    # A cosine above -1 makes all tokens alike, and the whole image what stands out.
    whole = ("--tau", "-1", "--json", "--png", str(picture))
    found = json.loads(run(project, "saliency", "vit", str(tmp_path), *whole))
    assert found["iou"] == found["accuracy"] == found["floor"]["iou"] == 0.25
    assert found["of_image"]["a.jpg"]["iou"] == 0.25
    assert picture.read_bytes()[:4] == b"\x89PNG"
    folders = (str(tmp_path / "images"), "--masks", str(tmp_path / "ground_truth_mask"))
    told = run(project, "saliency", "models/registers", *folders, "--features", "values")
    masks, floor = told.splitlines()
    assert masks.startswith("masks: F ")
    assert masks.endswith("; 1 images, tau 0.2")
    assert floor == "whole images: F 30.2 %, IoU 25.0 %, accuracy 25.0 %"
    with pytest.raises(SemtokError, match="its tokens need more than pixels"):
        run(project, "saliency", "masked", str(tmp_path))


def test_scores_keep_the_measurement_and_show_it(project):
    folder = project / "artifacts/scenes/scores/masked"
    report = json.loads((folder / "report.json").read_text())
    assert report["pictures"] == ["heat_maps.png"]
    assert (folder / "heat_maps.png").exists()
    assert report["numbers"]["attention on background, rollout"] == 0
    table = read_table(folder / "background.parquet", BACKGROUND)
    assert set(table["split"].to_pylist()) == {"val", "test"}
    assert set(table["seed"].to_pylist()) == {0, 1}


def test_scores_ask_what_stands_out_of_the_splits_own_images(project):
    table = read_table(project / "artifacts/scenes/scores/masked/cases.parquet", CASES)
    seen = metrics(table)
    for split in ("val", "test"):
        found = seen["saliency"][split]
        assert {"f", "iou", "accuracy", "max_f", "f_whole", "f_centre"} < {*found}
        assert found["max_f"]["mean"] >= found["f_whole"]["mean"] > 0
        assert {*seen["corloc"][split]["lost"]} == {"mean"}
        assert 0 < seen["saliency"][split]["iou"]["mean"] < 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vit", "--split", "x"), "x: no such split; there are train, val, test"),
        (("vit", "--seed", "9"), "no such training; train.seeds has 0"),
        (("vitt",), r"vitt: no variant \(there are [^)]*\bvit\b[^)]*\) and no folder"),
    ],
)
def test_what_cannot_be_reported_is_refused(project, arguments, message):
    with pytest.raises(SemtokError, match=message):
        run(project, "artifacts", *arguments)
