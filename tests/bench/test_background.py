"""Attention on background: none under a key mask, as counted token by token otherwise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semtok.bench import background
from semtok.models.attention_maps import attention_maps
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.report import heat_maps
from semtok.tokens.collate import Collate
from semtok.tokens.rows import Regions, RelatedPixels, pack
from semtok.tokens.shards import related_pixels_schema, write
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn

TOKENS = {"scheme": "grid_relations", "settings": {"image_size": 8}}
VISION = VisionConfig(48, 4, False, (), False, False, False)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Five images of four patches; the mask of the first covers all, of others the first two."""
    random = np.random.default_rng(0)
    sets = [
        RelatedPixels(
            random.integers(0, 256, (8, 8, 3), np.uint8),
            Regions(
                np.array([[9, 255, 1, 1] if number == 0 else [9, 255, 0, 0]], np.uint8),
                np.full((1, 5), 0.5, np.float32),
                np.empty((1, 0), np.int16),
                np.empty((0, 2), np.int16),
                (),
            ),
        )
        for number in range(5)
    ]
    folder = tmp_path_factory.mktemp("shards")
    rows = pack(range(5), sets, ())
    write(folder / "000.arrow", related_pixels_schema(8, 2), rows, (), TOKENS, "x")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Checkpoints of random weights: plain, and with masked keys."""
    folders = {}
    for name, masked in (("plain", False), ("masked", True)):
        torch.manual_seed(0)
        text = learn(["a box"], 270, 8)
        scratch = ScratchText(text.vocabulary, text.context, text.end, width=8, depth=1, heads=2)
        config = ModelConfig(
            EncoderSettings(16, 3, 2, 2.0, 8),
            replace(VISION, registers=2, key_mask=masked),
            scratch,
        )
        model = checkpoint.Checkpoint(ImageTextModel(config), text, TOKENS, Collate(patch_size=4))
        folders[name] = tmp_path_factory.mktemp(name)
        checkpoint.save(folders[name], model, [], {})
    return folders


def test_shares_are_those_counted_token_by_token(trained, shards) -> None:
    table = background.measure({3: trained["plain"]}, {"val": shards}).to_pylist()
    assert [(row["split"], row["seed"], row["image_id"]) for row in table] == [
        ("val", 3, number) for number in range(5)
    ]
    loaded = checkpoint.load(trained["plain"])
    opened = loaded.open_shards(shards)
    maps = attention_maps(loaded.model.vision, loaded.collate(opened.rows(np.arange(5)))).numpy()
    for number, row in enumerate(table):
        behind = [] if number == 0 else [5, 6]  # behind [CLS], two registers and two patches
        last = [maps[number, -1, head, 0, key] for head in range(2) for key in behind]
        every = [
            maps[number, block, head, 0, key]
            for block in range(3)
            for head in range(2)
            for key in behind
        ]
        assert row["background"] == len(behind) / 4
        assert row["last_block"] == pytest.approx(sum(last) / 2, abs=1e-6)
        assert row["all_blocks"] == pytest.approx(sum(every) / 6, abs=1e-6)
        assert (row["rollout"] > 0.01) == bool(behind)


def test_under_a_key_mask_it_is_zero_and_not_nearly(trained, shards) -> None:
    table = background.measure({0: trained["masked"]}, {"val": shards})
    found = background.means(table)
    assert found == {"background": 0.5, "last_block": 0.0, "all_blocks": 0.0, "rollout": 0.0}


def test_every_training_is_measured_on_the_same_images(trained, shards, monkeypatch) -> None:
    monkeypatch.setattr(background, "_BATCH", 2)
    monkeypatch.setattr(background, "_IMAGES", 3)
    splits = {"val": shards, "test": shards}
    table = background.measure({0: trained["plain"], 1: trained["masked"]}, splits)
    seen = [(row["seed"], row["split"], row["image_id"]) for row in table.to_pylist()]
    assert seen == [
        (seed, split, image) for seed in (0, 1) for split in splits for image in range(3)
    ]


def test_heat_maps_side_by_side(trained, shards, tmp_path) -> None:
    found = {name: background.heat_maps(folder, shards, 2) for name, folder in trained.items()}
    for name, each in found.items():
        assert each.pixels.shape == (2, 8, 8, 3)
        assert each.foreground.tolist() == [[[True, True]] * 2, [[True, True], [False, False]]]
        for heat in (each.last_block, each.rollout):
            assert heat.shape == (2, 2, 2)
            assert (heat[1, 1] == 0).all() == (name == "masked")
            assert (heat[each.foreground] > 0).all()
    for path in (tmp_path / "one.png", tmp_path / "same.png"):
        heat_maps.draw(found, path)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "same.png").read_bytes()
