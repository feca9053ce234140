"""The reference ViT goes through the same loop as every variant."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from semtok.errors import SemtokError
from semtok.events import Metrics
from semtok.train import checkpoint
from semtok.train.train import train


def reference(arguments, **recipe):
    given = arguments("grid", **recipe)
    return given | {"variant": replace(given["variant"], encoder="clip_vision")}


def test_it_learns_and_loads_again(arguments, tmp_path) -> None:
    events = []
    given = reference(arguments, steps=60, log_every=10, save_every=60)
    train(**given, staging=tmp_path, resume=tmp_path / "resume", emit=events.append)
    losses = [each.values["loss"] for each in events if isinstance(each, Metrics)]
    assert losses[-1] < 0.6 * losses[0]
    loaded = checkpoint.load(tmp_path)
    shards = loaded.open_shards(given["val_shards"])
    with torch.inference_mode():
        found = loaded.model.encode_image(loaded.collate(shards.rows(np.arange(len(shards)))))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(shards)))


def test_only_the_encoder_differs_from_vit(arguments, tmp_path) -> None:
    facts = []
    for name, given in (("own", arguments("grid")), ("reference", reference(arguments))):
        train(**given, staging=tmp_path / name, resume=tmp_path / name / "resume")
        facts.append(json.loads((tmp_path / name / "training.json").read_text()))
    own, other = (each["parameters"] for each in facts)
    assert (own["blocks"], own["text"], own["bias"]) == (
        other["blocks"],
        other["text"],
        other["bias"],
    )
    assert facts[0]["tokens_per_image"] == facts[1]["tokens_per_image"]
    tokenizers = [
        (tmp_path / name / "text_tokenizer.json").read_bytes() for name in ("own", "reference")
    ]
    assert tokenizers[0] == tokenizers[1]


def test_the_seed_decides(arguments, tmp_path) -> None:
    weights = []
    for name in ("one", "same"):
        train(**reference(arguments), staging=tmp_path / name, resume=tmp_path / name / "resume")
        weights.append(load_file(tmp_path / name / "model.safetensors"))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("base", ["semantic", "grid_relations"])
def test_it_reads_pixels_alone(arguments, tmp_path, base) -> None:
    given = arguments(base)
    wrong = given | {"variant": replace(given["variant"], encoder="clip_vision")}
    with pytest.raises(SemtokError, match=r"holds more than pixels.*take the tokenizer grid"):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")
