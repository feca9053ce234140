"""Every system, trained, written and read again: the same vectors, to the bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from semtok.extract import rle
from semtok.params import GateSettings
from semtok.tokens import semantic
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction
from semtok.tokens.rows import pack
from semtok.tokens.shards import pixels_schema, regions_schema, write
from semtok.train import checkpoint
from semtok.train.train import train

#: A variant of `arguments`, and what is changed of it.
SYSTEMS = {
    "S1, a bias a layer and head": ("semantic", {}),
    "S1, a fixed bias": ("semantic", {"bias_mode": "fixed", "bias_value": 0.5}),
    "S1, a bias a predicate": ("semantic", {"bias_mode": "predicate"}),
    "S2": ("superpixel", {}),
    "S4": ("grid", {"registers": 2}),
    "S5": ("grid", {"gates": GateSettings(block=1)}),
    "S5, of tokens with a bias": ("semantic", {"gates": GateSettings(block=1), "registers": 1}),
    "S6": ("key_mask", {}),
    "S7": ("grid", {"clusters": 2}),
    "S7, by the first component": ("grid", {"clusters": 2, "cluster_order": "principal"}),
    "S7, a backbone": ("backbone", {}),
}


@pytest.fixture
def trained(monkeypatch):
    """A function: arguments, folder -> the checkpoint as it was in memory when it was written."""
    kept: list[checkpoint.Checkpoint] = []
    save = checkpoint.save

    def keep(folder, made, history, facts) -> None:
        kept.append(made)
        save(folder, made, history, facts)

    monkeypatch.setattr(checkpoint, "save", keep)

    def run(given, folder) -> checkpoint.Checkpoint:
        train(**given, staging=folder, resume=folder / "resume")
        return kept[-1]

    return run


def vectors(loaded: checkpoint.Checkpoint, shards: Path) -> torch.Tensor:
    """Of all images of a split."""
    opened = loaded.open_shards(shards)
    rows = opened.rows(np.arange(len(opened)))
    with torch.inference_mode():
        return loaded.model.eval().encode_image(loaded.collate(rows))


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_was_trained_comes_back_to_the_bit(arguments, pictures, trained, tmp_path, system):
    variant, changes = SYSTEMS[system]
    if variant == "backbone":
        given = arguments("grid", folder=pictures, steps=2, warmup=1)
        changes = {"encoder": "secvit_tiny", "patch_size": 16}
    else:
        given = arguments(variant, steps=2, warmup=1)
    given |= {"variant": replace(given["variant"], **changes)}
    memory = trained(given, tmp_path / "one")
    loaded = checkpoint.load(tmp_path / "one")
    wanted = memory.model.state_dict()
    assert all(torch.equal(each, wanted[n]) for n, each in loaded.model.state_dict().items())
    assert loaded.model.state_dict().keys() == wanted.keys()
    assert loaded.model.config == memory.model.config
    assert torch.equal(vectors(loaded, given["val_shards"]), vectors(memory, given["val_shards"]))
    checkpoint.save(tmp_path / "two", loaded, [], {})
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Of 32 pixels, the smallest that a SECViT can halve five times."""
    root = tmp_path_factory.mktemp("pictures")
    for split, first_id, count in (("train", 100, 40), ("val", 900, 20)):
        random = np.random.default_rng(first_id)
        ids = list(range(first_id, first_id + count))
        images = [random.integers(0, 256, (32, 32, 3), np.uint8) for _ in ids]
        tokens = {"scheme": "grid", "settings": {"image_size": 32}}
        path = root / f"grid-{split}" / "000.arrow"
        write(path, pixels_schema(32), pack(ids, images, ()), (), tokens, split)
    return root


def found(kind: str, random: np.random.Generator) -> Extraction:
    """What an extractor finds where there is next to nothing."""
    if kind == "no mask":
        return WHOLE_IMAGE
    count = 1 if kind == "one mask" else 3
    masks = rle.Runs.of([rle.encode(random.random((12, 12)) < 0.5) for _ in range(count)])
    return Extraction.of(masks, 12, 12, [], [])


@pytest.mark.parametrize("mode", ["layer_head", "predicate", "fixed"])
@pytest.mark.parametrize("kind", ["no mask", "one mask", "no relation"])
def test_semantic_tokens_train_where_there_is_next_to_nothing(
    arguments, trained, tmp_path, kind, mode
):
    """No image of the whole data set has more, so that there is no predicate to learn either."""
    settings = semantic.Settings(16, 4, 5, 6, neighbours=2)
    captions = []
    for split, count, first_id in (("train", 16, 100), ("val", 8, 900)):
        random = np.random.default_rng(first_id)
        ids = list(range(first_id, first_id + count))
        images = [random.integers(0, 256, (16, 16, 4), np.uint8) for _ in ids]
        sets = semantic.tokenize(images, [found(kind, random) for _ in ids], settings)
        tokens = {"scheme": "semantic", "settings": {"image_size": 16}}
        path = tmp_path / f"semantic-{split}" / "000.arrow"
        write(path, regions_schema(4, 2), pack(ids, sets, ()), (), tokens, split)
        captions += [{"caption_id": n, "image_id": n, "caption": f"a thing {n}"} for n in ids]
    given = arguments("semantic", folder=tmp_path, steps=2, warmup=1)
    given |= {"captions": pa.Table.from_pylist(captions)}
    value = 1.0 if mode == "fixed" else None
    given |= {"variant": replace(given["variant"], bias_mode=mode, bias_value=value)}
    memory = trained(given, tmp_path / "out")
    weights = load_file(tmp_path / "out/model.safetensors")
    assert all(each.isfinite().all() for each in weights.values())
    # Nothing joins two tokens, but for masks that lie side by side.
    if mode != "fixed":
        assert not weights["vision.bias.relation"].any()
        assert weights["vision.bias.neighbour"].any() == (kind == "no relation")
    loaded = checkpoint.load(tmp_path / "out")
    assert torch.equal(vectors(loaded, given["val_shards"]), vectors(memory, given["val_shards"]))
