"""Budgets in training: drawn by seed, step and image alone, and held to by a loss."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.params import GateSettings
from semtok.train import checkpoint
from semtok.train.batches import Batch
from semtok.train.budget import budget_loss, draw
from semtok.train.objective import Objective
from semtok.train.spending import BUDGETS, spending
from semtok.train.train import train


def test_budgets_are_uniform_and_depend_on_seed_step_and_image() -> None:
    ids = np.arange(2000)
    found = draw(ids, 1, 2, (0.2, 0.6))
    assert 0.2 <= found.min() < 0.21 and 0.59 < found.max() <= 0.6
    assert found.mean().item() == pytest.approx(0.4, abs=0.01)
    assert found.std().item() == pytest.approx(0.4 / 12**0.5, rel=0.05)
    order = np.random.default_rng(0).permutation(ids)
    assert torch.equal(draw(order, 1, 2, (0.2, 0.6)), found[order])
    for other in ((2, 2), (1, 3)):
        assert abs(np.corrcoef(draw(ids, *other, (0.2, 0.6)), found)[0, 1]) < 0.1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 5))
def test_the_loss_is_what_exceeds_the_budget(seed, images, tokens) -> None:
    random = torch.Generator().manual_seed(seed)
    weights = torch.rand(images, tokens, generator=random, dtype=torch.float64)
    gated = torch.rand(images, tokens, generator=random) < 0.6
    budget = torch.rand(images, generator=random, dtype=torch.float64)
    terms = []
    for image in range(images):
        own = [weights[image, n].item() for n in range(tokens) if gated[image, n]]
        alpha = budget[image].item()
        kept = sum(own) / len(own) if own else 0.0
        terms.append(max(kept - alpha, 0) ** 2 * (2 - alpha))
    found = budget_loss(weights, gated, budget, "weights").item()
    assert found == pytest.approx(sum(terms) / images, abs=1e-12)


def test_a_loss_of_tokens_counts_them_and_lightens_those_that_are_left() -> None:
    weights = torch.tensor([[0.1, 0.2, 0.0, 0.9]], dtype=torch.float64, requires_grad=True)
    gated, budget = torch.ones(1, 4, dtype=torch.bool), torch.tensor([0.5], dtype=torch.float64)
    loss = budget_loss(weights, gated, budget, "tokens")
    assert loss.item() == pytest.approx((3 / 4 - 0.5) ** 2 * 1.5)
    loss.backward()
    # By each weight as of a mean of four: 2 (k - a) (2 - a) / 4.
    assert weights.grad.tolist() == [pytest.approx([2 * 0.25 * 1.5 / 4] * 4)]


def test_a_variant_with_gates_trains_and_tells_what_it_keeps(arguments, tmp_path) -> None:
    facts = {}
    for name, variant, gates in (
        ("vit", "grid", None),
        ("gates", "grid", GateSettings(block=1)),
        ("semantic", "semantic", GateSettings(block=1)),
    ):
        given = arguments(variant)
        given |= {"variant": replace(given["variant"], gates=gates)}
        train(**given, staging=tmp_path / name, resume=tmp_path / name / "resume")
        facts[name] = json.loads((tmp_path / name / "training.json").read_text())
    one, other = facts["vit"]["parameters"], facts["gates"]["parameters"]
    assert {**one, "embeddings": 0} == {**other, "embeddings": 0}
    # Two vectors of budgets; of each block a vector, and a linear map of the budget token.
    assert other["embeddings"] - one["embeddings"] == 2 * 16 + 2 * (16 + 16 + 1)
    assert "spending" not in facts["vit"]
    for name in ("gates", "semantic"):
        found = facts[name]["spending"]
        assert [each["budget"] for each in found] == list(BUDGETS)
        assert all(0 <= each["weight"] <= each["share"] <= 1 for each in found)
        assert found[-1]["flops"] == facts[name]["flops_per_image"]
    loaded = checkpoint.load(tmp_path / "gates")
    rows = loaded.open_shards(arguments("grid")["val_shards"]).rows(np.arange(4))
    with torch.inference_mode():
        few = loaded.model.encode_image(loaded.collate(rows), torch.full((4,), 0.1))
        many = loaded.model.encode_image(loaded.collate(rows))
    assert not torch.allclose(few, many)


def test_what_a_key_mask_hides_is_no_part_of_the_budget(arguments, tmp_path) -> None:
    given = arguments("key_mask", steps=1, warmup=0, save_every=1)
    keep_all = GateSettings(block=1, bias=50.0, count="tokens")
    given |= {"variant": replace(given["variant"], gates=keep_all)}
    train(**given, staging=tmp_path, resume=tmp_path / "resume")
    loaded = checkpoint.load(tmp_path)
    tokens = loaded.collate(loaded.open_shards(given["val_shards"]).rows(np.arange(4)))
    half = torch.arange(tokens.kind.shape[1]) % 2 == 0
    tokens = replace(tokens, foreground=tokens.foreground & half)
    batch = Batch(
        tokens, loaded.text_tokenizer.encode(["a thing"] * 4), None, torch.full((4,), 0.4)
    )
    assert [each["share"] for each in spending(loaded.model, [tokens])] == [1.0] * len(BUDGETS)
    losses = Objective(loaded.model, torch.nn.ModuleDict())(batch)
    assert losses[-1].item() == pytest.approx(keep_all.weight * (1 - 0.4) ** 2 * (2 - 0.4))
