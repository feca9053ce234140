"""The split `novel` through the whole line, beside test."""

import json

import numpy as np
import pytest
import yaml

from semtok import params_file, pipeline
from semtok.data import index
from semtok.study import laid_over
from semtok.tables import read_table
from semtok.tokens.shards import TokenShards
from tests import small_line

NOVEL = {
    "data": {
        "splits": ["train", "val", "test", "novel"],
        "last_split": "novel",
        "settings": {"scenes": {"novel": 8}},
    },
    "extraction": {
        "annotated-novel": {"extractor": "annotated", "masks": "images", "scene_graphs": "images"}
    },
    "token_shards": {"grid-novel": {"tokenizer": "grid", "reads": "images"}},
    "bench": {"splits": ["val", "test", "novel"]},
}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    document = yaml.safe_load((small_line.REPOSITORY / "params.yaml").read_text())
    document["variants"] = {"vit": document["variants"]["vit"]}
    document["tokenizers"].pop("semantic")
    document["token_shards"] = {
        name: each for name, each in document["token_shards"].items() if "grid" in name
    }
    root = tmp_path_factory.mktemp("novel") / "line"
    return small_line.build(root, small_line.shrunk(laid_over(document, NOVEL)))


def test_novel_images_are_tokenized_and_scored_apart(line):
    images = index.split_images(line.input("index"), "novel")["image_id"].to_numpy()
    shards = TokenShards(line.input("token_shards", "grid-novel"))
    assert len(images) == 8
    assert np.array_equal(np.sort(shards.image_ids), np.sort(images))
    metrics = json.loads((line.root / "metrics/scenes/vit.json").read_text())
    for benchmark in ("retrieval", "siblings"):
        assert set(metrics[benchmark]) == {"val", "test", "novel"}
    assert "text_to_image_any_true" in metrics["retrieval"]["novel"]


def test_the_leaderboard_lists_novel_beside_test(line):
    small_line.run(line.root, "leaderboard", None)
    text = (line.input("leaderboard") / "leaderboard.md").read_text()
    assert "## retrieval, novel: text to image" in text


@pytest.mark.parametrize("key", ["images", "index", "token_shards@grid-novel"])
def test_gates_let_it_through(line, key):
    small_line.run_gated(line.root, key)


def test_a_line_without_it_has_no_key_of_it(line):
    with_novel = params_file.load(line.root / "params.yaml")
    without = params_file.load(small_line.REPOSITORY / "params.yaml")
    assert ("masks", "annotated-novel") in pipeline.all_keys(with_novel)
    assert not [key for key in pipeline.all_keys(without) if "novel" in str(key[1])]


def test_truth_of_novel_is_of_novel_alone(line):
    truth = read_table(line.input("index") / "truth.parquet", index.TRUTH)
    novel = set(index.split_images(line.input("index"), "novel")["image_id"].to_pylist())
    captions = read_table(line.input("index") / "captions.parquet", index.CAPTIONS).to_pylist()
    owner = {each["caption_id"]: each["image_id"] for each in captions}
    pairs = [(owner[row["caption_id"]], row["image_id"]) for row in truth.to_pylist()]
    assert [pair for pair in pairs if pair[0] in novel]
    assert all((own in novel) == (image in novel) for own, image in pairs)
