"""Segmenters of transformers as mask backends: tiny ones, through their real processing."""

import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import transform

from semtok.data.index import split_images
from semtok.errors import SemtokError
from semtok.extract import masks as stage
from semtok.extract import pretrained, rle
from semtok.extract import transformers as module
from semtok.extract.backends import find_backend
from semtok.extract.corruptions import CLEAN, Corruption
from semtok.extract.raw import RawExtractor
from semtok.sharding import Partition
from semtok.workspace import publish
from tests.extract import tiny_segmenters
from tests.extract.looked_at import assert_alike, by_image, look, overlaps

KINDS = [*tiny_segmenters.UNIVERSAL]
TASKS = ("panoptic", "instance")

#: Random weights are sure of nothing.
LAX = {"score": 0.0, "pixel": 0.1, "visible": 0.0, "same": 1.0}


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("segmenters")
    return {kind: tiny_segmenters.written(kind, folder / kind) for kind in KINDS}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_finds_what_its_images_do_alone(tiny, models, kind, task):
    settings = {"model": str(models[kind]), "task": task, **LAX}
    alone, together = (
        by_image(tiny, look(tiny, "transformers", **settings, batch_size=size)) for size in (1, 4)
    )
    assert_alike(alone, together)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_those_of_the_library_image_by_image(tiny, models, kind):
    """By the library's own classes, without our batches, runs or limits."""
    folder = models[kind]
    processor = transformers.AutoImageProcessor.from_pretrained(
        folder,
        backend="pil",
        local_files_only=True,
        **({"class_info_file": ""} if kind == "oneformer" else {}),
    )
    network = transformers.AutoModelForUniversalSegmentation.from_pretrained(folder).eval()
    tiny.use(masks="transformers", transformers={"model": str(folder), **LAX})
    tiny.masks()
    _, index = tiny.index()
    for row in split_images(index, "train").to_pylist():
        image = Image.open(tiny.root / row["path"])
        told = {}
        if kind == "oneformer":
            words = transformers.AutoTokenizer.from_pretrained(folder)
            processor_of_both = transformers.OneFormerProcessor(processor, words, 16, 16)
            inputs = processor_of_both(image, ["panoptic"], return_tensors="pt")
            told["task_inputs"] = inputs["task_inputs"]
        else:
            inputs = processor(image, return_tensors="pt")
        with torch.no_grad():
            outputs = network(pixel_values=inputs["pixel_values"], **told)
        size = (row["height"], row["width"])
        if kind == "oneformer":  # which would enlarge masks by torchvision
            likely = outputs.masks_queries_logits.sigmoid()[0].numpy()
            shape = (len(likely), *size)
            enlarged = transform.resize(likely, shape, order=1, mode="edge", anti_aliasing=False)
            outputs.masks_queries_logits = torch.logit(torch.from_numpy(enlarged))[None]
        (wanted,) = processor.post_process_panoptic_segmentation(
            outputs,
            threshold=0.0,
            mask_threshold=0.1,
            overlap_mask_area_threshold=0.0,
            label_ids_to_fuse=set(),
            target_sizes=None if kind == "oneformer" else [size],
        )
        ours = [each for each in tiny.rows() if each["image_id"] == row["image_id"]]
        segments = sorted(wanted["segments_info"], key=lambda each: -each["score"])
        assert len(ours) == len(segments) > 0
        for mask, segment in zip(ours, segments, strict=True):
            assert mask["category"] == tiny_segmenters.LABELS[segment["label_id"]]
            assert mask["category_id"] == segment["label_id"]
            assert mask["score"] == pytest.approx(segment["score"], abs=1e-5)
            pixels = (wanted["segmentation"] == segment["id"]).numpy()
            assert (rle.decode(mask["counts"], *size) == pixels).mean() > 0.999
            assert mask["area"] == sum(mask["counts"][1::2])


def test_limits_leave_out_what_is_unsure_and_what_repeats(tiny, models):
    settings = {"model": str(models["mask2former"]), "task": "instance", **LAX}
    everything = look(tiny, "transformers", **settings)
    scores = sorted(everything.masks["score"].to_pylist())
    limit = (scores[9] + scores[10]) / 2
    sure = look(tiny, "transformers", **{**settings, "score": limit})
    assert len(sure.masks) == len(scores) - 10
    assert min(sure.masks["score"].to_pylist()) >= limit
    few = look(tiny, "transformers", **settings, masks=2)
    assert max(few.masks["source_id"].to_pylist()) < 2
    apart = look(tiny, "transformers", **{**settings, "same": 0.5})
    assert 0 < len(apart.masks) < len(everything.masks)
    best = {}
    for mask in everything.masks.to_pylist():
        best[mask["image_id"]] = max(best.get(mask["image_id"], 0), mask["score"])
    for image_id, masks in by_image(tiny, apart).items():
        assert (overlaps(masks) < 0.5).all()
        assert masks[0][1] == best[image_id]  # the best one stays


def test_the_same_picture_gives_the_same_bytes_and_another_model_other_masks(
    tiny, models, tmp_path
):
    folder = shutil.copytree(models["mask2former"], tmp_path / "own")
    tiny.use(masks="transformers", transformers={"model": str(folder), **LAX})
    assert tiny.masks("first") == 3
    assert tiny.masks("first") == 0
    tiny.masks("second")
    assert tiny.bytes("first") == tiny.bytes("second")
    other = shutil.copytree(folder, tmp_path / "other")
    settings = json.loads((other / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps(settings | {"do_normalize": False}))
    tiny.use(masks="transformers", transformers={"model": str(other), **LAX})
    assert tiny.masks("first") == 3
    assert tiny.bytes("first") != tiny.bytes("second")


def test_another_version_of_the_library_is_another_model(models, monkeypatch):
    """What it makes of the same weights may differ, and shards of both must not mix."""
    told = pretrained.identity(models["detr"])
    assert pretrained.identity(models["detr"]) == told
    monkeypatch.setattr(pretrained, "version", lambda name: f"{name} 0.0")
    assert pretrained.identity(models["detr"]) != told


def test_corruptions_are_shown_to_the_model(tiny, models):
    settings = {"model": str(models["detr"]), **LAX}
    clean, noisy = (
        look(tiny, "transformers", each, **settings) for each in (CLEAN, Corruption("noise", 5))
    )
    assert not clean.masks["score"].equals(noisy.masks["score"])


def test_what_it_costs_is_handed_down(models):
    backend = find_backend(
        "masks", "transformers", {"transformers": {"model": str(models["mask2former"])}}
    )
    cost = module.cost(backend.settings, Path())
    network = module.SegmentationModel(backend.settings, Path()).network
    assert cost["parameters"] == sum(each.numel() for each in network.parameters())
    assert cost["flops_per_image"] > 1e6 and cost["images"] == 0


def test_an_image_that_cannot_be_read_is_set_aside(tiny, models):
    tiny.indexed = tiny.index()
    (tiny.root / "train2017/000000000004.jpg").write_bytes(b"no image")
    seen = look(tiny, "transformers", model=str(models["mask2former"]), **LAX)
    ((image_id, _, _, reason),) = seen.rejected
    assert (image_id, reason) == (4, "unreadable")
    assert 4 not in seen.masks["image_id"].to_pylist()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "config.json").unlink(), "no folder of a model .* hf download "),
        (lambda f: (f / "model.safetensors").unlink(), "holds no safetensors that fit"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "holds no image processor"),
        (lambda f: other_kind(f), "is a clip model; those of mask2former, .* can be read"),
        (lambda f: padded(f), "its image processor pads images"),
        (lambda f: damaged(f), "its answers are not finite"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tiny, models, tmp_path, spoil, said):
    folder = shutil.copytree(models["mask2former"], tmp_path / "own")
    spoil(folder)
    with pytest.raises(SemtokError, match=rf"settings.transformers.model: .*{said}") as refused:
        look(tiny, "transformers", model=str(folder), **LAX)
    assert "\n" not in str(refused.value)


def other_kind(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({"model_type": "clip"}))


def padded(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"pad_size": {"height": 96, "width": 96}})
    )


def damaged(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["class_predictor.bias"][0] = float("nan")
    save_file(weights, path, {"format": "pt"})


def test_a_folder_is_looked_for_in_the_project_wherever_a_stage_is_run(
    tiny, models, tmp_path, monkeypatch
):
    shutil.copytree(models["detr"], tmp_path / "project/models/detr")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tiny.use(masks="transformers", transformers={"model": "models/detr", **LAX})
    listed, index = tiny.index()
    images = split_images(index, "train")
    project = tmp_path / "project"
    with publish(tmp_path / "found", tmp_path / "state") as staging:
        partition = Partition(
            tiny.root, images, tiny.data, staging, staging / "none", "source", project=project
        )
        stage.build(partition, listed, tiny.extractor)
    assert list((tmp_path / "found").glob("*.parquet"))
    assert stage.cost(tiny.extractor, project)["masks"]["parameters"] > 0
    RawExtractor(tiny.extractor, {}, project)


def test_no_network_is_asked_for_a_hub_id(tiny, monkeypatch):
    monkeypatch.setenv("HF_HUB_ENABLE_TELEMETRY", "0")

    def connect(*args: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(SemtokError, match=r"fetch it: hf download nobody/has-this$"):
        look(tiny, "transformers", model="nobody/has-this")


def test_a_model_in_the_cache_of_the_hub_is_found(tiny, models, tmp_path, monkeypatch):
    snapshot = tmp_path / "models--own--segmenter/snapshots/abc"
    snapshot.parent.mkdir(parents=True)
    shutil.copytree(models["mask2former"], snapshot)
    (tmp_path / "models--own--segmenter/refs").mkdir()
    (tmp_path / "models--own--segmenter/refs/main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert look(tiny, "transformers", model="own/segmenter", **LAX).masks
