"""How the variant that looks at what arrived names classes."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from semtok.bench import benchmark, classification
from semtok.bench.embedding import Model
from semtok.bench.rate_distortion import classifier
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH, annotations
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tables import write_table
from semtok.tokens import shards
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn

IMAGES, SIZE = 30, 32
TOKENS = {"scheme": "grid", "settings": {"image_size": SIZE}}
NAMES = ["a cat", "two dogs", "many birds"]


def trained(folder: Path) -> Path:
    """A variant of random weights."""
    torch.manual_seed(0)
    config = ModelConfig(
        EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6),
        VisionConfig(16 * 16 * 3, 4, False, (), False, False, False),
        ScratchText(300, 12, 1, 8, 1, 2),
    )
    text = learn(["a caption of a thing"], 300, 12)
    model = ImageTextModel(config).eval()
    with torch.no_grad():
        for each in model.parameters():  # so that vectors differ by what they are of
            each.normal_(std=0.5)
    made = checkpoint.Checkpoint(model, text, TOKENS, Collate(16))
    checkpoint.save(folder, made, [], {})
    return folder


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("grid-test")
    pixels = np.empty((IMAGES, SIZE, SIZE, 3), np.uint8)
    pixels[:] = np.random.default_rng(0).integers(0, 256, (IMAGES, 1, 1, 3))
    rows = PixelRows(np.arange(IMAGES), pixels)
    shards.write(folder / "000.arrow", shards.pixels_schema(SIZE), rows, (), TOKENS, "f")
    return folder


def test_it_classifies_as_the_benchmark_does(tmp_path, grid, monkeypatch) -> None:
    model, opened, index = trained(tmp_path / "seed-0"), TokenShards(grid), tmp_path / "index"
    assert classifier(model, opened, index) is None
    (index / "benchmarks/classification").mkdir(parents=True)
    ids = np.arange(IMAGES)
    captions = [NAMES[each % 3] for each in ids]
    table = pa.table({"caption_id": ids, "image_id": ids, "caption": captions})
    for name, schema, rows in (
        ("captions", CAPTIONS, table.cast(CAPTIONS.columns)),
        ("truth", TRUTH, TRUTH.columns.empty_table()),
        ("siblings", SIBLINGS, SIBLINGS.columns.empty_table()),
    ):
        write_table(index / f"{name}.parquet", rows, schema)
    (index / "benchmarks" / classification.FILE).write_text(
        json.dumps({"classes": NAMES, "ordered": False})
    )
    # Any vectors do: how they come about is the benchmark's to say.
    monkeypatch.setattr(classification, "class_vectors", lambda *_: np.eye(6)[[0, 3, 4]])
    data = benchmark.split_data("test", opened, annotations(index))
    ranks = classification.score(Model(model), data)["rank"].to_numpy()
    loaded, right = checkpoint.load(model), classifier(model, opened, index)
    places = slice(3, 20)
    with torch.inference_mode():
        found = right(loaded.collate(opened.rows(ids[places])), places).tolist()
    assert found == (ranks[places] == 1).tolist()
    assert set(found) == {False, True}
