"""Permuted at test alone: as if the relations had been permuted in the token shards."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from semtok.bench.cases import CASES
from semtok.bench.scoring import score
from semtok.data.index import SIBLINGS, TRUTH, Annotations
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tables import read_table
from semtok.tokens import shards
from semtok.tokens.collate import Collate
from semtok.tokens.permutation import permute
from semtok.tokens.rows import RegionRows
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn

IMAGES, PREDICATES = 40, ("beside", "on", "under")
TOKENS = {"scheme": "semantic", "settings": {"image_size": 8}}
SEED = 3


def random_rows() -> RegionRows:
    random = np.random.default_rng(0)
    return RegionRows(
        image_ids=np.arange(IMAGES),
        region_counts=np.full(IMAGES, 4),
        features=random.integers(0, 256, (4 * IMAGES, 16), np.uint8),
        geometry=random.random((4 * IMAGES, 5), np.float32),
        neighbours=np.full((4 * IMAGES, 1), -1, np.int16),
        edge_counts=np.full(IMAGES, 3),
        edge_ends=np.tile(np.array([[0, 1], [2, 1], [3, 0]], np.int16), (IMAGES, 1)),
        edge_predicate=random.integers(1, 4, 3 * IMAGES),
    )


def write(folder: Path, rows: RegionRows) -> Path:
    shards.write(folder / "000.arrow", shards.regions_schema(2, 1), rows, PREDICATES, TOKENS, "f")
    return folder


def saved(folder: Path, relations: bool) -> Path:
    """A training with random weights that makes much of relations."""
    torch.manual_seed(0)
    text = learn(["a caption of a thing"], 270, 12)
    vision = VisionConfig(
        feature_dim=16,
        patches=None,
        geometry=True,
        predicates=PREDICATES,
        intangible=relations,
        relation_bias=relations,
        neighbour_bias=False,
    )
    model = ImageTextModel(
        ModelConfig(
            encoder=EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6),
            vision=vision,
            text=ScratchText(text.vocabulary, 12, text.end, 8, 1, 2),
        )
    )
    for name, each in model.vision.named_parameters():
        if name in ("bias.relation", "embedding.predicate"):
            torch.nn.init.normal_(each, std=9.0)
    facts = {
        "parameters": model.parameters_by_role(),
        "tokens_per_image": 4.0,
        "flops_per_image": 1.0,
        "training_seconds": 1.0,
        "learning_rate": 1e-3,
    }
    made = checkpoint.Checkpoint(model, text, TOKENS, Collate(intangible=relations, seed=SEED))
    checkpoint.save(folder / f"seed-{SEED}", made, [(1, "loss", 3.0)], facts)
    return folder


def ranks(tmp_path: Path, relations: bool, rows: RegionRows, benchmark: str) -> list[int]:
    """The ranks of all cases, of images in pairs of siblings with a caption each."""
    ids = np.arange(IMAGES)
    captions = ["abcdefghij"[n % 10] + "klmnopqrst"[3 * n // 10 % 10] for n in range(IMAGES)]
    pairs = {
        "first_image_id": ids[::2],
        "second_image_id": ids[1::2],
        "kind": ["roles"] * (IMAGES // 2),
        "first_caption": captions[::2],
        "second_caption": captions[1::2],
    }
    annotations = Annotations(
        captions=pa.table({"caption_id": ids, "image_id": ids, "caption": captions}),
        truth=TRUTH.columns.empty_table(),
        siblings=pa.table({name: pairs[name] for name in SIBLINGS.columns.names}),
    )
    staging = tmp_path / "scores"
    staging.mkdir(exist_ok=True)
    trained = saved(tmp_path / "checkpoint", relations)
    score(trained, {"test": write(tmp_path / "shards", rows)}, annotations, [benchmark], staging)
    table = read_table(staging / "cases.parquet", CASES)
    assert set(table["benchmark"].to_pylist()) == {benchmark}
    return table["rank"].to_pylist()


@pytest.mark.parametrize("benchmark", ["retrieval", "siblings"])
@pytest.mark.parametrize("relations", [True, False])
def test_scores_are_those_of_permuted_shards(tmp_path, benchmark, relations):
    rows = random_rows()
    found = ranks(tmp_path, relations, rows, f"{benchmark}_permuted")
    assert found == ranks(tmp_path, relations, permute(rows, SEED), benchmark)
    # Who has no relations has none to lose.
    assert (found == ranks(tmp_path, relations, rows, benchmark)) is not relations
