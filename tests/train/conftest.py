"""A tiny data set as token shards: one coloured shape an image, its caption names both."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from semtok.params import EncoderSettings, TextSettings, TrainSettings, VariantSettings
from semtok.tokens import superpixel
from semtok.tokens.rows import Regions, RelatedPixels, Superpixels, pack
from semtok.tokens.shards import (
    pixels_schema,
    regions_schema,
    related_pixels_schema,
    superpixels_schema,
    write,
)

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
PREDICATES = ("above", "on", "under")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Models this small only lose by sharing work among threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> dict[str, Any]:
    """Arguments of `train` that say what to train on, for grid tokens and semantic ones."""
    root = tmp_path_factory.mktemp("data")
    captions: list[tuple[int, int, str]] = []
    for split, count, first_id in (("train", 40, 100), ("val", 20, 900)):
        random = np.random.default_rng(first_id)
        pictures, regions, ids = [], [], list(range(first_id, first_id + count))
        for image_id in ids:
            one, other = random.choice(list(COLOURS), 2)
            predicate = str(random.choice(["above", "under"]))
            pictures.append(_picture(COLOURS[one], COLOURS[other], random))
            regions.append(_regions(COLOURS[one], COLOURS[other], predicate, random))
            for number, end in enumerate((".", " here")):
                # No two alike, so that no score hangs on a tie.
                caption = f"a {one} box {predicate} a {other} box{end} {image_id}"
                captions.append((10 * image_id + number, image_id, caption))
        for name, sets, schema in (
            ("grid", pictures, pixels_schema(8)),
            ("semantic", regions, regions_schema(4, 2)),
            ("grid_relations", _related(pictures, regions), related_pixels_schema(8, 2)),
            ("superpixel", _superpixels(pictures), superpixels_schema(8, 4, 256)),
        ):
            rows = pack(ids, sets, PREDICATES)
            tokens = {"scheme": name, "settings": {"image_size": 8}}
            names = () if name in ("grid", "superpixel") else PREDICATES
            write(
                root / f"{name}-{split}" / "000.arrow",
                schema,
                rows,
                names,
                tokens,
                f"{name} {split}",
            )
    columns = zip(("caption_id", "image_id", "caption"), zip(*captions, strict=True), strict=True)
    return {"root": root, "captions": pa.table({name: list(each) for name, each in columns})}


@pytest.fixture(scope="session")
def arguments(data) -> Callable[..., dict[str, Any]]:
    """All arguments of `train` but where it writes; settings of the recipe can be changed."""

    def make(
        variant: str = "semantic", folder: Path | None = None, **recipe: Any
    ) -> dict[str, Any]:
        changed: dict[str, Any] = {
            "steps": 12, "batch_size": 8, "learning_rate": 3e-3, "weight_decay": 0.1, "warmup": 2,
            "clip_norm": 1.0, "seeds": (0,), "log_every": 5, "save_every": 4,
        } | recipe  # fmt: skip
        root = folder or data["root"]
        variants = {
            "grid": VariantSettings("grid", patch_size=4),
            "semantic": VariantSettings(
                "semantic", intangible=True, relation_bias=True, neighbour_bias=True
            ),
            "grid_relations": VariantSettings(
                "grid_relations", patch_size=4, intangible=True, relation_bias=True
            ),
            "auxiliary": VariantSettings(
                "grid_relations", patch_size=4, auxiliary=("masks", "relations")
            ),
            "superpixel": VariantSettings("superpixel", keep_tokens=6),
            "key_mask": VariantSettings(
                "grid_relations", patch_size=4, key_mask="foreground", registers=2
            ),
        }
        return {
            "train_shards": root / f"{variants[variant].tokenizer}-train",
            "val_shards": root / f"{variants[variant].tokenizer}-val",
            "captions": data["captions"],
            "variant": variants[variant],
            "encoder": EncoderSettings(width=16, depth=2, heads=2, mlp_ratio=2.0, embedding=8),
            "text": TextSettings("scratch", vocabulary=300, context=48, width=16, depth=1, heads=2),
            "settings": TrainSettings(**changed),
            "seed": 3,
            "source": "source",
            "provenance": {"commit": "abc", "dirty": False},
        }

    return make


@pytest.fixture(scope="session")
def clip_tower_in() -> Callable[[Path], TextSettings]:
    """Save a tiny CLIP text tower of random weights, which spells, in a folder."""
    return _clip_tower


def _picture(
    one: tuple[int, ...], other: tuple[int, ...], random: np.random.Generator
) -> np.ndarray:
    picture = random.integers(0, 9, (8, 8, 3), np.uint8)
    picture[1:4, 2:6], picture[5:8, 2:6] = one, other
    return picture


def _superpixels(pictures: list[np.ndarray]) -> list[Superpixels]:
    whole = [np.dstack([each, np.full_like(each[..., :1], 255)]) for each in pictures]
    settings = superpixel.Settings(image_size=8, crop_size=4, levels=2)
    return superpixel.tokenize(whole, [], settings)


def _related(pictures: list[np.ndarray], regions: list[Regions]) -> list[RelatedPixels]:
    """Upper boxes cover the upper half of the picture, lower ones and floors the lower half."""
    cells = np.array([[255, 255, 0, 0], [0, 0, 255, 255], [0, 0, 255, 255]], np.uint8)
    nothing = np.empty((3, 0), np.int16)
    return [
        RelatedPixels(picture, replace(each, features=cells, neighbours=nothing))
        for picture, each in zip(pictures, regions, strict=True)
    ]


def _regions(
    one: tuple[int, ...], other: tuple[int, ...], predicate: str, random: np.random.Generator
) -> Regions:
    floor = random.integers(80, 90, 3)
    features = np.array([[*each, 255] * 16 for each in (one, other, floor)], np.uint8)
    geometry = np.array([[0.5, y, 0.5, 0.4, 0.2] for y in (0.3, 0.8, 0.9)], np.float32)
    related = random.random() < 0.8
    return Regions(
        features=features,
        geometry=geometry,
        neighbours=np.array([[1, -1], [0, 2], [1, -1]], np.int16),
        edge_ends=np.array([[0, 1], [1, 2]], np.int16)[: 2 * related],
        edge_predicate=(predicate, "on")[: 2 * related],
    )


def _clip_tower(folder: Path) -> TextSettings:
    torch.manual_seed(0)
    letters = [chr(ord("a") + number) for number in range(26)]
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        ".",
        ".</w>",
        *letters,
        *(f"{each}</w>" for each in letters),
    ]
    CLIPTokenizer(
        vocab={word: number for number, word in enumerate(words)}, merges=[]
    ).save_pretrained(folder)
    CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=20, projection_dim=8,
            bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )
    ).save_pretrained(folder)  # fmt: skip
    return TextSettings(str(folder), vocabulary=0, context=32, width=0, depth=0, heads=0)
