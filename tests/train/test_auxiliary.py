"""A patch model that is trained to predict masks and relations, and never sees any."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from semtok.errors import SemtokError
from semtok.events import Metrics, Progress
from semtok.train import checkpoint
from semtok.train.train import train


@pytest.fixture(scope="module")
def trained(arguments, tmp_path_factory):
    folder, events = tmp_path_factory.mktemp("auxiliary"), []
    given = arguments("auxiliary", steps=80, log_every=10, save_every=80)
    train(**given, staging=folder, resume=folder / "resume", emit=events.append)
    return folder, [each for each in events if isinstance(each, Metrics)]


def test_both_are_learned_beside_the_captions(trained) -> None:
    first, *_, last = (each.values for each in trained[1])
    for name in ("loss", "loss/masks", "loss/relations"):
        assert last[name] < 0.6 * first[name], name


def test_scores_do_not_depend_on_masks_or_relations(trained, arguments) -> None:
    loaded = checkpoint.load(trained[0])
    shards = loaded.open_shards(arguments("auxiliary")["val_shards"])
    rows = shards.rows(np.arange(len(shards)))
    random = np.random.default_rng(0)
    regions = replace(
        rows.regions,
        features=random.permuted(rows.regions.features, axis=1),
        geometry=random.random(rows.regions.geometry.shape, np.float32),
        edge_ends=rows.regions.edge_ends[:, ::-1],
        edge_predicate=random.permutation(rows.regions.edge_predicate),
    )
    with torch.inference_mode():
        seen, changed = (
            loaded.model.encode_image(loaded.collate(replace(rows, regions=each)))
            for each in (rows.regions, regions)
        )
    assert torch.equal(seen, changed)


def test_nothing_but_training_differs_from_plain_patches(trained, arguments, tmp_path) -> None:
    train(**arguments("grid"), staging=tmp_path, resume=tmp_path / "resume")
    facts, plain = (
        json.loads((folder / "training.json").read_text()) for folder in (trained[0], tmp_path)
    )
    for name in ("parameters", "tokens_per_image", "flops_per_image"):
        assert facts[name] == plain[name]
    assert facts["auxiliary_parameters"] > plain["auxiliary_parameters"] == 0
    weights, others = (load_file(each / "model.safetensors") for each in (trained[0], tmp_path))
    assert {name: each.shape for name, each in weights.items()} == {
        name: each.shape for name, each in others.items()
    }


def test_a_killed_training_takes_its_heads_up_again(arguments, tmp_path) -> None:
    class KilledError(Exception):
        pass

    def kill(event) -> None:
        if isinstance(event, Progress) and event.done == 7:
            raise KilledError

    given = arguments("auxiliary")
    train(**given, staging=tmp_path / "one", resume=tmp_path / "resume-one")
    interrupted = {"staging": tmp_path / "other", "resume": tmp_path / "resume-other"}
    with pytest.raises(KilledError):
        train(**given, **interrupted, emit=kill)
    train(**given, **interrupted)
    one, other = (load_file(tmp_path / each / "model.safetensors") for each in ("one", "other"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        ("grid", {"auxiliary": ("masks",)}, r"no patches with masks .* tokenizer grid_relations"),
        ("semantic", {"auxiliary": ("relations",)}, r"no patches with masks"),
        ("auxiliary", {"relation_bias": True}, r"not told them; take relation_bias off"),
        ("auxiliary", {"permute_relations": True}, r"take permute_relations off"),
    ],
)
def test_what_cannot_be_predicted_is_refused(arguments, tmp_path, base, changes, message) -> None:
    given = arguments(base)
    wrong = given | {"variant": replace(given["variant"], **changes)}
    with pytest.raises(SemtokError, match=message):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")
