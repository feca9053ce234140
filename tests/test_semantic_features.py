"""Tokens of a frozen backbone's features go through the line."""

import json
from pathlib import Path

import pytest

from tests import small_line
from tests.tokens.test_semantic_features import WIDTH, made


@pytest.mark.slow
def test_a_variant_of_frozen_features_trains_and_pays_for_them(tmp_path: Path) -> None:
    document = small_line.own()
    document["tokenizers"]["frozen"] = {
        "scheme": "semantic_features", "image_size": 128, "max_masks": 32, "max_relations": 16,
        "backbone": str(made("dinov2", tmp_path / "model")), "neighbours": 5,
    }  # fmt: skip
    for split in ("train", "val", "test"):
        reads = {"tokenizer": "frozen", "reads": f"extraction/annotated-{split}"}
        document["token_shards"][f"frozen-{split}"] = reads
    shown = {"intangible": True, "relation_bias": True, "neighbour_bias": True}
    document["variants"] = {"vit": document["variants"]["vit"]}
    document["variants"]["frozen"] = {"tokenizer": "frozen", **shown}
    document = small_line.shrunk(document)
    document["train"] |= {"seeds": [0]}
    root = tmp_path / "line"
    workspace = small_line.build(root, document)
    config = json.loads(
        (workspace.input("checkpoint", "frozen") / "seed-0/config.json").read_text()
    )
    assert config["model"]["vision"]["feature_dim"] == WIDTH
    costs = json.loads((workspace.input("scores", "frozen") / "costs.json").read_text())
    assert costs["extraction"]["flops_per_image"] > 0
    small_line.run_gated(root, "token_shards@frozen-val")
    assert (workspace.input("token_shards", "frozen-val") / "preview.png").exists()
