"""Features of a frozen backbone, pooled over masks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from semtok.errors import SemtokError
from semtok.extract import rle
from semtok.tokens import backbone, semantic_features, shards
from semtok.tokens.collate import Collate
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction
from semtok.tokens.kept import best_masks
from semtok.tokens.rows import pack
from semtok.tokens.semantic_features import Settings, pooled, tokenize

SIDE, PATCH, WIDTH = 16, 4, 8
_SHAPE = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2}
_INPUT = {"image_size": SIDE, "patch_size": PATCH}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
IMAGES = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 4), np.uint8)


def made(kind: str, folder: Path, seed: int = 0) -> Path:
    """Save a tiny model of random weights."""
    torch.manual_seed(seed)
    model = {
        "clip": lambda: CLIPVisionModel(
            CLIPVisionConfig(**_SHAPE, **_INPUT, intermediate_size=12, projection_dim=8)
        ),
        "siglip": lambda: SiglipVisionModel(
            SiglipVisionConfig(**_SHAPE, **_INPUT, intermediate_size=12)
        ),
        "dinov2": lambda: Dinov2WithRegistersModel(
            Dinov2WithRegistersConfig(**_SHAPE, **_INPUT, num_register_tokens=3)
        ),
    }[kind]()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": MEAN, "image_std": STD})
    )
    return folder


@pytest.fixture(scope="module", params=["clip", "siglip", "dinov2"])
def named(request, tmp_path_factory) -> str:
    return str(made(request.param, tmp_path_factory.mktemp(request.param)))


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(SIDE, str(made("dinov2", tmp_path_factory.mktemp("own"))), 4, 3, 2)


def extraction(seed: int, count: int) -> Extraction:
    masks = np.random.default_rng(seed).random((count, 11, 13)) < 0.3
    masks[:, 5, 6] = True
    relations = [(0, count - 1)] if count > 1 else []
    runs = rle.Runs.of([rle.encode(each) for each in masks])
    return Extraction.of(runs, 11, 13, relations, ["on"] * len(relations))


def test_patches_are_those_of_the_model(named) -> None:
    model = backbone.load(named)
    assert (model.dimension, model.patch_size) == (WIDTH, PATCH)
    pixels = (IMAGES[0, ..., :3] / 255 - MEAN) / STD
    given = torch.from_numpy(pixels.transpose(2, 0, 1)).float()[None]
    with torch.inference_mode():
        whole = model._model(pixel_values=given).last_hidden_state[0]
    leading = {"clip": 1, "siglip": 0, "dinov2_with_registers": 4}
    kind = model._model.config.model_type.removesuffix("_vision_model")
    expected = whole[leading[kind] :].reshape(4, 4, WIDTH).numpy()
    np.testing.assert_allclose(model.patches(IMAGES[0, ..., :3]), expected, atol=1e-5)


def test_an_image_may_have_another_size_than_in_training(named) -> None:
    larger = np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8)
    assert backbone.load(named).patches(larger).shape == (6, 6, WIDTH)


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_a_mask_holds_the_mean_of_its_pixels_patches(seed, count, cells, scale) -> None:
    """Each pixel of a mask votes for the patch that it lies in."""
    random = np.random.default_rng(seed)
    patches = random.standard_normal((cells, cells, WIDTH)).astype(np.float32)
    masks = random.random((count, cells * scale, cells * scale)) < 0.5
    masks[:, 0, 0] = True
    found = Extraction.of(rle.Runs.of([rle.encode(each) for each in masks]), *masks.shape[1:])
    of_pixel = patches.astype(np.float64).repeat(scale, axis=0).repeat(scale, axis=1)
    expected = [of_pixel[masks[number]].mean(axis=0) for number in best_masks(found, 9)]
    made = pooled(patches, found, 9)
    assert made.dtype == np.float16
    np.testing.assert_allclose(made, expected, rtol=2e-3, atol=2e-3)


def test_an_image_without_masks_is_the_mean_of_its_patches(settings) -> None:
    (found,) = tokenize(IMAGES[:1], [WHOLE_IMAGE], settings)
    patches = backbone.load(settings.backbone).patches(IMAGES[0, ..., :3])
    np.testing.assert_allclose(found.features[0], patches.mean(axis=(0, 1)), rtol=2e-3, atol=2e-3)


def test_images_together_are_the_same_as_alone(settings) -> None:
    found = [extraction(0, 3), WHOLE_IMAGE, extraction(1, 6)]
    together = tokenize(IMAGES, found, settings)
    for number, each in enumerate(together):
        (alone,) = tokenize(IMAGES[number : number + 1], found[number : number + 1], settings)
        for name, values in vars(alone).items():
            np.testing.assert_array_equal(getattr(each, name), values)


def test_they_come_back_from_shards_bit_for_bit(settings, tmp_path) -> None:
    sets = tokenize(IMAGES[:2], [extraction(0, 3), extraction(1, 2)], settings)
    rows = pack([4, 9], sets, ["on"])
    tokens = {"scheme": "semantic_features", "settings": {}}
    schema = semantic_features.schema(settings)
    shards.write(tmp_path / "000.arrow", schema, rows, ["on"], tokens, "print")
    opened = shards.TokenShards(tmp_path).rows(np.arange(2))
    assert opened.features.dtype == np.float16
    for name, values in vars(rows).items():
        np.testing.assert_array_equal(getattr(opened, name), values)
    batch = Collate(intangible=True)(opened)
    assert batch.features.dtype == torch.float16
    assert batch.features.shape == (2, 4, WIDTH)


def test_other_weights_make_the_shards_anew(line, tmp_path) -> None:
    folder = made("clip", tmp_path / "model")
    line.tokenizer = {"scheme": "semantic_features", "image_size": 16, "backbone": str(folder)}
    line.tokenizer |= {"max_masks": 3, "max_relations": 2, "neighbours": 2}
    assert line.build(tmp_path / "target") == 3
    assert line.build(tmp_path / "target") == 0
    made("clip", folder, seed=1)
    backbone.load.cache_clear()
    assert line.build(tmp_path / "target") == 3


def test_a_folder_is_looked_for_in_the_project_and_what_its_download_left_does_not_count(
    line, tmp_path, monkeypatch
) -> None:
    line.project = tmp_path / "project"
    folder = made("clip", line.project / "frozen/clip")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    line.tokenizer = {"scheme": "semantic_features", "image_size": 16, "backbone": "frozen/clip"}
    line.tokenizer |= {"max_masks": 3, "max_relations": 2, "neighbours": 2}
    assert line.build(tmp_path / "target") == 3
    opened = shards.TokenShards(tmp_path / "target")
    assert opened.tokens["settings"]["backbone"] == "frozen/clip"
    left = folder / ".cache/huggingface/config.json.metadata"
    left.parent.mkdir(parents=True)
    left.write_text("0")
    backbone.load.cache_clear()
    assert line.build(tmp_path / "target") == 0


def test_the_cost_is_what_torch_counts(settings) -> None:
    found = semantic_features.cost(settings)
    model = backbone.load(settings.backbone)._model
    assert found["parameters"] == sum(each.numel() for each in model.parameters())
    # 16 patches of 48 numbers, 20 tokens through one block: q, k, v, output and an MLP of 4.
    embedding, block = 2 * 16 * 48 * 8, 2 * 20 * 8 * 8 * (4 + 8) + 2 * 2 * 20 * 20 * 8
    assert found["flops_per_image"] == embedding + block


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 15}, "image_size: patches of 4 pixels, the backbone's, do not tile 15"),
        ({"backbone": "nowhere/at-all"}, "backbone: nowhere/at-all: "),
    ],
)
def test_what_does_not_fit_is_refused(settings, change, message, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SemtokError, match=message):
        semantic_features.schema(replace(settings, **change))
