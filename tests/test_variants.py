"""The variants of docs/variants.md: their lines are right, and each of them trains."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from semtok import params_file
from semtok.errors import SemtokError
from semtok.report.study import page, published
from semtok.study import laid_over
from semtok.workspace import Workspace
from tests import small_line

REPO = Path(__file__).parents[1]


def documented() -> dict:
    """`params.yaml` with every block of lines that the page shows."""
    found = yaml.safe_load((REPO / "params.yaml").read_text())
    page = (REPO / "docs/variants.md").read_text()
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        found = laid_over(found, yaml.safe_load(block))
    return found


def test_the_lines_of_the_page_are_right(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(documented()))
    found = params_file.load(tmp_path / "params.yaml").variants
    assert {"vit", "vit_relations", "regions", "regions_relations"} <= set(found)
    # Two variants of equal settings would be one.
    assert len(set(found.values())) == len(found)


@pytest.mark.slow
def test_every_variant_trains_through_the_line_with_identical_blocks(tmp_path):
    document = documented()
    sides = {
        name: document["tokenizers"][each["tokenizer"]]["image_size"] // each["patch_size"]
        for name, each in document["variants"].items()
        if "patch_size" in each
    }
    document = small_line.shrunk(document)
    document["encoder"] |= {"depth": 2}
    document["train"] |= {"seeds": [0]}
    # What alters tokens has tests of its own: so many variants would take a minute for it.
    document["bench"]["benchmarks"] = ["retrieval", "siblings"]
    document["corruption"]["severities"] = []
    document["tokenizers"]["grid_six"] |= {"image_size": 30}
    for name, side in sides.items():
        variant = document["variants"][name]
        size = document["tokenizers"][variant["tokenizer"]]["image_size"]
        variant["patch_size"] = size // side
    root = tmp_path / "line"
    workspace = small_line.build(root, document)
    blocks = set()
    for name, variant in document["variants"].items():
        parameters = _facts(workspace, name)["parameters"]
        blocks.add(parameters["blocks"])
        bias = variant.get("relation_bias", False) + variant.get("neighbour_bias", False)
        learned = variant.get("bias_mode") != "fixed"
        # The first of two layers has one, with two heads.
        assert parameters["bias"] == 2 * bias * learned, name
    assert len(blocks) == 1
    tokens = {name: _facts(workspace, name)["tokens_per_image"] for name in document["variants"]}
    assert [tokens[f"vit_{number}"] for number in (4, 9, 16, 36)] == [4, 9, 16, 36]
    assert all(tokens[f"regions_{number}"] <= number for number in (4, 8))
    assert tokens["regions_4"] < tokens["regions_8"] <= tokens["regions"]
    small_line.run(root, "leaderboard", None)  # so many rows can be drawn
    params = params_file.load(root / "params.yaml")
    page.write(published.read(workspace, params, "tiny"), root / "study.md")
    text = (root / "study.md").read_text()
    assert "**Smoke run" in text and "partial" not in text and "- The variant" not in text
    changed = replace(params, train=replace(params.train, steps=5))
    with pytest.raises(SemtokError, match="no variant of the study tiny was scored"):
        published.read(workspace, changed, "tiny")
    for tokenizer in ("grid_relations", "grid_mask_map"):
        small_line.run_gated(root, f"token_shards@{tokenizer}-val")


def _facts(workspace: Workspace, variant: str) -> dict:
    path = workspace.input("checkpoint", variant) / "seed-0/training.json"
    return json.loads(path.read_text())
