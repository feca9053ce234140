"""Hand-made cases, and a small variant on disk."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from semtok.bench.cases import CASES
from semtok.bench.image_files import ImageFiles
from semtok.data.index import CAPTIONS, IMAGES, SIBLINGS, SPLITS, TRUTH, Annotations
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tables import REJECTED, write_table
from semtok.tokens import shards
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn


@pytest.fixture
def make_cases():
    """A function: ranks of each seed -> table of cases of one task."""
    return cases_of


def cases_of(
    ranks,
    case_ids=None,
    clusters=None,
    candidates=1000,
    split="test",
    task="text_to_image",
    answers=1,
    truths=None,
):
    rows = [
        {
            "benchmark": "retrieval",
            "split": split,
            "task": task,
            "seed": seed,
            "case_id": (case_ids or range(len(values)))[number],
            "cluster_id": (clusters or range(len(values)))[number],
            "rank": rank,
            "candidates": candidates,
            "answers": answers,
            "truths": truths,
        }
        for seed, values in ranks.items()
        for number, rank in enumerate(values)
    ]
    return pa.Table.from_pylist(rows, schema=CASES.columns)


def valued_cases(values, loss=False, groups=None, task="comprehensiveness"):
    """Values of each seed -> table of cases of one task."""
    rows = [
        {
            "benchmark": "faithfulness",
            "split": "test",
            "task": task,
            "seed": seed,
            "case_id": number,
            "cluster_id": number,
            "value": value,
            "loss": loss,
            "group": groups and groups[number],
        }
        for seed, own in values.items()
        for number, value in enumerate(own)
    ]
    return pa.Table.from_pylist(rows, schema=CASES.columns)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A variant on hand-made shards, with random weights: its folders, as the stages lay them out.

    Training would add nothing here: scoring must agree with the model whatever its weights are.
    """
    return save_variant(tmp_path_factory.mktemp("trained"), seeds=(0, 1))


@pytest.fixture
def with_files(trained, tmp_path):
    """A function: official files of benchmarks -> the annotations of an index that has them."""

    def write(files):
        ids = {split: TokenShards(path).image_ids for split, path in trained.shards.items()}
        ids["train"] = np.arange(1, 9)
        rows = [(int(each), split) for split, found in ids.items() for each in found]
        images = pa.table(
            {
                "image_id": [each for each, _ in rows],
                "path": [f"val2017/{image_name(each)}" for each, _ in rows],
                "width": [8] * len(rows),
                "height": [8] * len(rows),
                "sha256": [""] * len(rows),
            }
        )
        splits = pa.table(
            [[each for each, _ in rows], [split for _, split in rows]], SPLITS.columns
        )
        write_table(tmp_path / "images.parquet", images.cast(IMAGES.columns), IMAGES)
        write_table(tmp_path / "splits.parquet", splits, SPLITS)
        captions = trained.captions.slice(0, 9).to_pylist()
        captions = [row | {"image_id": 1 + n % 8} for n, row in enumerate(captions)]
        table = pa.Table.from_pylist(captions, schema=CAPTIONS.columns)
        write_table(tmp_path / "captions.parquet", table, CAPTIONS)
        write_table(tmp_path / "rejected.parquet", REJECTED.columns.empty_table(), REJECTED)
        for name, text in files.items():
            path = tmp_path / "benchmarks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
            else:
                path.write_text(text if isinstance(text, str) else json.dumps(text))
        return replace(trained.annotations, folder=tmp_path)

    return write


@pytest.fixture
def image_files(tmp_path):
    """A function: a data root and paths in it -> the images of test, with ids from 1."""

    def make(root, paths):
        count, folder = len(paths), tmp_path / "index"
        ids, sizes = [*range(1, count + 1)], [8] * count
        images = pa.table([ids, paths, sizes, sizes, [""] * count], IMAGES.columns.names)
        write_table(folder / "images.parquet", images.cast(IMAGES.columns), IMAGES)
        splits = pa.table([ids, ["test"] * count], SPLITS.columns)
        write_table(folder / "splits.parquet", splits, SPLITS)
        write_table(folder / "rejected.parquet", REJECTED.columns.empty_table(), REJECTED)
        return ImageFiles(root, folder, "test")

    return make


def image_name(image_id):
    """A file name as COCO 2017 has it."""
    return f"{image_id:012d}.jpg"


@dataclass(frozen=True)
class Variant:
    checkpoint: Path
    shards: dict[str, Path]  # by split
    captions: pa.Table
    annotations: Annotations


def save_variant(folder, seeds):
    counts = {"val": 5, "test": 30}
    ids = iter(range(100, 1000))
    folders, images = {}, []
    tokens = {"scheme": "grid", "settings": {"image_size": 8}}
    random = np.random.default_rng(0)
    for split, count in counts.items():
        image_ids = np.array([next(ids) for _ in range(count)])
        pixels = random.integers(0, 256, (count, 8, 8, 3), np.uint8)
        folders[split] = folder / f"grid-{split}"
        # Two shards, so that the images' order is not that of their ids.
        for number in (0, 1):
            part = PixelRows(image_ids[1 - number :: 2], pixels[1 - number :: 2])
            path = folders[split] / f"{number:03}.arrow"
            shards.write(path, shards.pixels_schema(8), part, (), tokens, "f")
        images += image_ids.tolist()
    owners = np.array([*images, *images, images[0]])
    random.shuffle(owners)
    captions = pa.table(
        {
            "caption_id": np.arange(len(owners))[::-1],
            "image_id": owners,
            "caption": [f"a caption of {'xyz'[n % 3]} number {n}" for n in range(len(owners))],
        }
    )
    tokenizer = learn(captions["caption"].to_pylist(), 270, 24)
    for seed in seeds:
        torch.manual_seed(seed)
        model = ImageTextModel(
            ModelConfig(
                encoder=EncoderSettings(width=8, depth=1, heads=2, mlp_ratio=2, embedding=6),
                vision=VisionConfig(48, 4, False, (), False, False, False),
                text=ScratchText(tokenizer.vocabulary, 24, tokenizer.end, 8, 1, 2),
            )
        )
        target = folder / "checkpoint" / f"seed-{seed}"
        target.mkdir(parents=True)
        facts = {
            "parameters": model.parameters_by_role(),
            "tokens_per_image": 4.0,
            "flops_per_image": 1000.0,
            "training_seconds": 1.0 + seed,
            "learning_rate": 1e-3,
            "seed": seed,
        }
        made = checkpoint.Checkpoint(model, tokenizer, tokens, Collate(patch_size=4))
        checkpoint.save(target, made, [(1, "loss", 3.0)], facts)
    unknown = Annotations(captions, TRUTH.columns.empty_table(), SIBLINGS.columns.empty_table())
    return Variant(folder / "checkpoint", folders, captions, unknown)
