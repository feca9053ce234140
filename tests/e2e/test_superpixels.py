"""Superpixels on real COCO images: masks, scene graphs and tokens, each with its gate."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from semtok.data.index import split_images
from semtok.extract.masks import MASKS
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.study import laid_over
from semtok.tables import TableSchema, read_table
from semtok.tokens.shards import TokenShards
from semtok.workspace import Workspace
from tests import small_line
from tests.e2e.conftest import REPO

pytestmark = pytest.mark.slow

EXTRACTION = "superpixels-val"
REGIONS = 32


@pytest.fixture(scope="module")
def line(coco_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The lines of docs/variants.md on the sample, up to the tokens of val."""
    root = tmp_path_factory.mktemp("superpixels")
    (root / "semtok").symlink_to(REPO / "semtok")
    page = (REPO / "docs/variants.md").read_text()
    (lines,) = re.findall(r"^## Superpixels\n.*?```yaml\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    params = laid_over(yaml.safe_load((REPO / "params.yaml").read_text()), yaml.safe_load(lines))
    data = {"name": "coco", "format": "coco", "source": str(coco_sample), "shards": 2}
    params["data"] |= data
    params["extractors"]["annotated"] = {"masks": "instances", "scene_graphs": "geometry"}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    shards = f"token_shards@semantic_{EXTRACTION}"
    for key in ("images", "index", f"masks@{EXTRACTION}", f"scene_graphs@{EXTRACTION}", shards):
        small_line.run_gated(root, key)
    return Workspace(root, "coco")


def rows(folder: Path, schema: TableSchema) -> pa.Table:
    return pa.concat_tables(read_table(each, schema) for each in sorted(folder.glob("0*.parquet")))


def test_masks_cover_each_pixel_once(line):
    masks = rows(line.input("masks", EXTRACTION), MASKS)
    images = split_images(line.input("index"), "val")
    assert masks.num_rows == REGIONS * images.num_rows
    cover: dict[int, np.ndarray] = {}
    for row in masks.to_pylist():
        runs = np.array(row["counts"])
        set_ = np.repeat(np.arange(len(runs)) % 2, runs)
        cover[row["image_id"]] = cover.get(row["image_id"], 0) + set_
    assert all((pixels == 1).all() for pixels in cover.values())
    sizes = {row["image_id"]: row["height"] * row["width"] for row in images.to_pylist()}
    assert {image_id: len(pixels) for image_id, pixels in cover.items()} == sizes


def test_relations_are_those_of_neighbours(line):
    found = rows(line.input("scene_graphs", EXTRACTION), SCENE_GRAPHS)
    predicates = set(found["predicate"].to_pylist())
    assert "touching" in predicates and "overlapping" not in predicates


def test_every_superpixel_is_a_token(line):
    found = TokenShards(line.input("token_shards", f"semantic_{EXTRACTION}"))
    images = split_images(line.input("index"), "val")
    assert sorted(found.image_ids.tolist()) == images["image_id"].to_pylist()
    tokens = found.rows(np.arange(len(found)))
    assert set(tokens.region_counts.tolist()) == {REGIONS}
    shares = tokens.geometry[:, 4].reshape(-1, REGIONS)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
