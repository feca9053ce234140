import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.train import checkpoint
from semtok.train.history import HISTORY
from semtok.train.train import train


@pytest.fixture(scope="module")
def published(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    train(**arguments("semantic", steps=6), staging=folder, resume=folder / "resume")
    shutil.rmtree(folder / "resume")
    return folder


@pytest.fixture
def copied(published, tmp_path):
    return shutil.copytree(published, tmp_path / "copy")


def test_folder_holds_open_formats_only(published) -> None:
    assert sorted(each.name for each in published.iterdir()) == [
        "config.json", "history.parquet", "model.safetensors", "text_tokenizer.json",
        "training.json",
    ]  # fmt: skip


def test_loading_twice_gives_the_same_model(published, arguments, copied) -> None:
    one = checkpoint.load(published)
    checkpoint.save(copied, one, [], {})
    other = checkpoint.load(copied)
    assert not one.model.training
    assert (one.tokens, one.collate) == (other.tokens, other.collate)
    ids = one.text_tokenizer.encode(["a red box above a blue box."])
    assert torch.equal(one.model.encode_text(ids), other.model.encode_text(ids))
    shards = one.open_shards(arguments("semantic")["val_shards"])
    images = one.collate(shards.rows(np.arange(len(shards))))
    assert torch.equal(one.model.encode_image(images), other.model.encode_image(images))
    for name in ("model.safetensors", "config.json", "text_tokenizer.json"):
        assert (published / name).read_bytes() == (copied / name).read_bytes()


def test_history_and_training_facts(published) -> None:
    history = read_table(published / "history.parquet", HISTORY)
    assert pq.read_table(published / "history.parquet").column_names == ["step", "name", "value"]
    losses = [row for row in history.to_pylist() if row["name"] == "loss"]
    assert [row["step"] for row in losses] == [1, 3, 4, 5, 6]
    facts = json.loads((published / "training.json").read_text())
    assert facts["seed"] == 3
    assert facts["steps"] == 6
    assert facts["commit"] == "abc"
    assert facts["dirty"] is False
    assert set(facts["parameters"]) == {"blocks", "embeddings", "bias", "text", "scale"}
    assert 3 < facts["tokens_per_image"] < 5
    assert facts["training_seconds"] > 0


def test_tokens_of_other_settings_are_refused(published, data) -> None:
    with pytest.raises(SemtokError, match=r"tokens of grid \(image_size 8\), but .* semantic"):
        checkpoint.load(published).open_shards(data["root"] / "grid-val")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "text_tokenizer.json"])
def test_missing_and_damaged_files_are_named(copied, name) -> None:
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SemtokError, match=name):
        checkpoint.load(copied)
    (copied / name).unlink()
    with pytest.raises(SemtokError, match=f"{name}: no such file"):
        checkpoint.load(copied)


def test_other_formats_and_shapes_are_refused(copied) -> None:
    path = copied / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"format": 99}))
    with pytest.raises(SemtokError, match=r"config\.json: format 99, this semtok reads 1"):
        checkpoint.load(copied)
    config["model"]["encoder"]["width"] = 32
    path.write_text(json.dumps(config))
    with pytest.raises(SemtokError, match=r"model\.safetensors: does not fit config\.json"):
        checkpoint.load(copied)
