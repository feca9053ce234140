import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from semtok.errors import SemtokError
from semtok.train import checkpoint
from semtok.train.train import train


def run(given, folder):
    train(**given, staging=folder, resume=folder / "resume")
    return load_file(folder / "model.safetensors")


def test_the_seed_decides_and_nothing_else(arguments, tmp_path) -> None:
    given = arguments()
    one, same = run(given, tmp_path / "one"), run(given, tmp_path / "same")
    other = run(given | {"seed": 4}, tmp_path / "other")
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    for name in ("model.safetensors", "config.json", "text_tokenizer.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()


@pytest.mark.parametrize("variant", ["semantic", "grid_relations"])
def test_control_trains_on_other_relations(arguments, tmp_path, variant) -> None:
    given = arguments(variant)
    control = given | {"variant": replace(given["variant"], permute_relations=True)}
    one, other = run(given, tmp_path / "one"), run(control, tmp_path / "other")
    assert one.keys() == other.keys()
    assert not torch.equal(one["vision.bias.relation"], other["vision.bias.relation"])
    assert checkpoint.load(tmp_path / "other").collate.permute_relations


def test_switches_that_patches_cannot_have_are_refused(arguments, tmp_path) -> None:
    given = arguments("grid")
    wrong = given | {"variant": replace(given["variant"], relation_bias=True)}
    with pytest.raises(SemtokError, match=r"holds patches.*take relation_bias off"):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")


def test_relations_of_patches_are_learned_by_the_same_blocks(arguments, tmp_path) -> None:
    run(arguments("grid"), tmp_path / "grid")
    weights = run(arguments("grid_relations"), tmp_path / "relations")
    assert weights["vision.bias.relation"].all()
    facts = [
        json.loads((tmp_path / name / "training.json").read_text())
        for name in ("grid", "relations")
    ]
    plain, related = (each["parameters"] for each in facts)
    assert plain["blocks"] == related["blocks"]
    assert plain["bias"] == 0
    assert related["bias"] == 2  # two heads in the one layer that has a bias
    # One token more for each relation than four patches.
    assert facts[0]["tokens_per_image"] == 4 < facts[1]["tokens_per_image"]


@pytest.mark.parametrize(
    ("mode", "value", "numbers"),
    [("fixed", 0.5, 0), ("scalar", None, 2), ("head", None, 4), ("predicate", None, 4 + 1)],
)
def test_a_bias_has_as_many_numbers_as_its_mode_says(
    arguments, tmp_path, mode, value, numbers
) -> None:
    given = arguments(steps=4)
    given["variant"] = replace(given["variant"], bias_mode=mode, bias_value=value)
    weights = run(given, tmp_path)
    assert json.loads((tmp_path / "training.json").read_text())["parameters"]["bias"] == numbers
    bias = checkpoint.load(tmp_path).model.vision.bias
    if mode == "fixed":
        assert bias.relation.tolist() == bias.neighbour.tolist() == [[value]]
    else:
        assert torch.equal(bias.relation, weights["vision.bias.relation"])
        # No training image has an unknown predicate: its weight stays 0.
        assert bias.relation.count_nonzero() == bias.relation.numel() - (mode == "predicate")


def test_registers_are_embeddings_and_cost_little(arguments, tmp_path) -> None:
    given = arguments("grid")
    registers = given | {"variant": replace(given["variant"], registers=3)}
    plain, more = run(given, tmp_path / "plain"), run(registers, tmp_path / "more")
    assert more["vision.embedding.registers"].shape == (3, 16)
    assert more.keys() - plain.keys() == {"vision.embedding.registers"}
    facts = [
        json.loads((tmp_path / name / "training.json").read_text()) for name in ("plain", "more")
    ]
    wanted = facts[0]["parameters"] | {"embeddings": facts[0]["parameters"]["embeddings"] + 48}
    assert facts[1]["parameters"] == wanted
    assert facts[1]["tokens_per_image"] == facts[0]["tokens_per_image"]
    assert facts[1]["flops_per_image"] > facts[0]["flops_per_image"]


def test_auxiliary_heads_read_patches_behind_registers(arguments, tmp_path) -> None:
    """Losses of the first step: registers of next to nothing change next to nothing."""
    losses = []
    for count in (0, 2):
        given = arguments("auxiliary", steps=2, log_every=1, warmup=1)
        variant = replace(given["variant"], registers=count)
        run(given | {"variant": variant}, tmp_path / str(count))
        history = pq.read_table(tmp_path / str(count) / "history.parquet").to_pylist()
        losses.append({row["name"]: row["value"] for row in history if row["step"] == 1})
    for name in ("loss/masks", "loss/relations"):
        assert losses[1][name] == pytest.approx(losses[0][name], rel=0.2), name


def test_a_key_mask_trains_and_comes_back_to_the_bit(arguments, tmp_path) -> None:
    given = arguments("key_mask")
    weights = run(given, tmp_path)
    loaded = checkpoint.load(tmp_path)
    assert all(torch.equal(each, weights[n]) for n, each in loaded.model.state_dict().items())
    shards = loaded.open_shards(given["val_shards"])
    rows = shards.rows(np.arange(len(shards)))
    upper = np.where([True, True, False, False], rows.regions.features, 0)
    batch = loaded.collate(replace(rows, regions=replace(rows.regions, features=upper)))
    assert batch.foreground.any(dim=0).tolist() == [True, True, False, False]
    hidden = torch.where(batch.foreground[..., None], batch.features, 0)
    with torch.inference_mode():
        seen, same = (
            loaded.model.encode_image(each) for each in (batch, replace(batch, features=hidden))
        )
    assert torch.equal(seen, same)


def test_a_key_mask_without_masks_is_refused(arguments, tmp_path) -> None:
    for name in ("grid", "semantic"):
        given = arguments(name)
        wrong = given | {"variant": replace(given["variant"], key_mask="foreground")}
        with pytest.raises(SemtokError, match=r"no patches with masks, which key_mask"):
            train(**wrong, staging=tmp_path, resume=tmp_path / "resume")


def test_patches_have_no_nearest_neighbours(arguments, tmp_path) -> None:
    given = arguments("grid_relations")
    wrong = given | {"variant": replace(given["variant"], neighbour_bias=True)}
    with pytest.raises(SemtokError, match=r"have no neighbours; take neighbour_bias off"):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")


@pytest.mark.parametrize(
    ("variant", "changes", "message"),
    [
        ("grid", {"features": "shape"}, "without a mask map"),
        ("grid", {"features": "none"}, "a contrastive loss nothing to learn"),
        (
            "grid_relations",
            {"features": "none", "intangible": False, "relation_bias": False},
            "give the variant relations",
        ),
    ],
)
def test_a_variant_that_sees_nothing_is_refused(
    arguments, tmp_path, variant, changes, message
) -> None:
    given = arguments(variant)
    blind = given | {"variant": replace(given["variant"], **changes)}
    with pytest.raises(SemtokError, match=message):
        train(**blind, staging=tmp_path, resume=tmp_path / "resume")


@pytest.mark.parametrize("variant", ["semantic", "grid_relations"])
def test_a_graph_without_pixels_trains_and_stays_without_them(arguments, tmp_path, variant) -> None:
    given = arguments(variant)
    run(given | {"variant": replace(given["variant"], features="none")}, tmp_path)
    loaded = checkpoint.load(tmp_path)
    shards = loaded.open_shards(given["val_shards"])
    rows = shards.rows(np.arange(len(shards)))
    embed = loaded.model.encode_image
    assert not loaded.collate(rows).features.any()
    colourless = (
        replace(rows, pixels=rows.pixels // 2)
        if variant == "grid_relations"
        else (replace(rows, features=rows.features // 2))
    )
    with torch.inference_mode():
        assert torch.equal(embed(loaded.collate(colourless)), embed(loaded.collate(rows)))


def test_shards_of_another_tokenizer_are_refused(arguments, tmp_path) -> None:
    wrong = arguments("grid") | {"val_shards": arguments("semantic")["val_shards"]}
    with pytest.raises(SemtokError, match=r"tokens of semantic .* trained on grid"):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")


def test_frozen_clip_text_tower(arguments, clip_tower_in, tmp_path) -> None:
    tower = tmp_path / "tower"
    run(arguments("grid") | {"text": clip_tower_in(tower)}, tmp_path / "out")
    # The checkpoint needs its tower's folder no more.
    before = load_file(tower / "model.safetensors")
    for each in tower.iterdir():
        each.unlink()
    loaded = checkpoint.load(tmp_path / "out")
    assert loaded.text_tokenizer.context == 20
    assert loaded.model.encode_text(loaded.text_tokenizer.encode(["a red box"])).shape == (1, 8)
    after = loaded.model.text.tower.state_dict()
    assert all(torch.equal(after[name], each) for name, each in before.items())
