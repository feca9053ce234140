"""What a model sends on: the tokens of the best merit, and scores that are those of retrieval."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.bench import classification, costs, selections, sending
from semtok.bench.cases import CASES, Task, by_task
from semtok.bench.scoring import score
from semtok.bench.selections import Selection
from semtok.data.index import SIBLINGS, TRUTH, Annotations
from semtok.models.adaptive import Passage, run
from semtok.models.attention_maps import attention_maps
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings, GateSettings
from semtok.report import budget_curves
from semtok.tables import read_table
from semtok.tokens import shards
from semtok.tokens.batch import SUPERPIXEL, TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows
from semtok.train import checkpoint
from semtok.train.spending import BUDGETS, spending
from semtok.train.text_tokenizer import learn

IMAGES, SIDE = 20, 4
TOKENS = {"scheme": "grid", "settings": {"image_size": 2 * SIDE}}
COLLATE = Collate(patch_size=2)


def model(gates: GateSettings | None = None, key_mask: bool = False) -> ImageTextModel:
    torch.manual_seed(0)
    vision = VisionConfig(
        12, SIDE**2, False, (), False, False, False, gates=gates, key_mask=key_mask
    )
    made = ImageTextModel(
        ModelConfig(
            encoder=EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6),
            vision=vision,
            text=ScratchText(300, 12, 1, 8, 1, 2),
        )
    )
    if gates is not None:
        torch.nn.init.normal_(made.vision.gates.weight, std=0.7)
    return made.eval()


def pictures(seed: int, images: int) -> PixelRows:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (images, 2 * SIDE, 2 * SIDE, 3), np.uint8)
    return PixelRows(np.arange(images), pixels)


@pytest.fixture
def sent(monkeypatch):
    """A function: selection, model, batch -> [B, N] bool, the tokens that were sent."""
    found: list[Passage] = []

    def spied(*args, **kwargs) -> Passage:
        found.append(run(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr("semtok.bench.sending.run", spied)

    def send(selection: Selection, of: ImageTextModel, batch: TokenBatch) -> torch.Tensor:
        with torch.inference_mode():
            sending.encode(of, batch, selection, 3)
        return found[-1].sent

    return send


@pytest.mark.parametrize("share", BUDGETS)
def test_the_tokens_of_the_best_merit_are_sent(sent, share) -> None:
    plain, batch = model(), COLLATE(pictures(1, 3))
    count = math.ceil(share * SIDE**2 - 1e-9)
    attention = attention_maps(plain.vision, batch)[:, 0].mean(dim=1)[:, 0, 1:]
    best = attention.argsort(dim=1, descending=True)[:, :count]
    wanted = torch.zeros(3, SIDE**2, dtype=torch.bool).scatter(1, best, value=True)
    assert torch.equal(sent(Selection("own", share), plain, batch), wanted)

    places = [
        (abs(x - 1.5) ** 2 + abs(y - 1.5) ** 2, y * SIDE + x) for y in range(4) for x in range(4)
    ]
    nearest = {place for _, place in sorted(places)[:count]}
    centre = sent(Selection("centre", share), plain, batch)
    assert all(set(row.nonzero().flatten().tolist()) == nearest for row in centre)

    random = sent(Selection("random", share), plain, batch)
    assert (random.sum(dim=1) == count).all()
    assert share == 1 or not torch.equal(random[0], random[1])
    assert torch.equal(random, sent(Selection("random", share), plain, batch))


def test_the_centre_of_superpixels_is_that_of_their_histograms(sent) -> None:
    plain, places = model(), SIDE**2
    cut = VisionConfig(12, None, True, (), False, False, False, geometry_dim=places)
    made = ImageTextModel(replace(plain.config, vision=cut)).eval()
    order = torch.randperm(places, generator=torch.Generator().manual_seed(0))
    batch = replace(
        COLLATE(pictures(1, 1)),
        geometry=torch.eye(places)[order][None],  # each token fills one bin, rows first
        kind=torch.full((1, places), SUPERPIXEL),
    )
    found = sent(Selection("centre", 0.25), made, batch)
    assert sorted(order[found[0]].tolist()) == [5, 6, 9, 10]


def test_a_budget_is_of_the_tokens_that_a_key_mask_leaves(sent) -> None:
    masked, batch = model(key_mask=True), COLLATE(pictures(1, 3))
    foreground = torch.rand(batch.kind.shape, generator=torch.Generator().manual_seed(0)) < 0.6
    batch = replace(batch, foreground=foreground)
    for policy in selections.POLICIES:
        found = sent(Selection(policy, 0.5), masked, batch)
        assert not (found & ~foreground).any()
        assert found.sum(dim=1).tolist() == [math.ceil(n / 2) for n in foreground.sum(1).tolist()]


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 99), st.sampled_from(selections.SELECTIONS))
def test_whatever_is_sent_makes_a_vector(seed, selection) -> None:
    gated, batch = model(GateSettings(block=1)), COLLATE(pictures(seed, 2))
    with torch.inference_mode():
        for each in (model(), gated):
            found = sending.encode(each, batch, selection, seed)
            torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_gates_keep_less_of_a_smaller_budget_and_others_cut_what_they_leave(sent) -> None:
    gated, batch = model(GateSettings(block=1, bias=0.5)), COLLATE(pictures(1, 3))
    with torch.inference_mode():
        # A threshold that falls with the budget, as a trained one does.
        gated.vision.gates.threshold[0].weight.fill_(0.5)
        gated.vision.gates.budget[0], gated.vision.gates.budget[1] = -1.0, 1.0
    few, many = (sent(Selection("own", share), gated, batch) for share in (0.1, 1.0))
    assert 0 < few.sum() < many.sum() <= 3 * SIDE**2
    assert not (few & ~many).any()
    cut = sent(Selection("random", 0.3), gated, batch)
    assert (cut.sum(dim=1) == 5).all()
    assert not (cut & ~many).any()
    for told in spending(gated, [batch]):
        for policy in selections.POLICIES:
            really = sent(Selection(policy, told["budget"]), gated, batch).float().mean().item()
            assert told["share" if policy == "own" else "others"] == pytest.approx(really)


def scored(folder: Path, gates: GateSettings | None, classes: bool = False) -> pa.Table:
    """The cases of a model, and of what it sends, on images with captions or with classes."""
    text = learn(["a caption of a thing"], 300, 12)
    made = checkpoint.Checkpoint(model(gates), text, TOKENS, COLLATE)
    spent = [
        {"budget": b, "weight": b / 3, "share": b / 2, "others": min(b, 0.5), "flops": 9.0}
        for b in BUDGETS
    ]
    facts = {
        "parameters": made.model.parameters_by_role(),
        "tokens_per_image": 16.0,
        "flops_per_image": 1.0,
        "training_seconds": 1.0,
        "learning_rate": 1e-3,
        **({"spending": spent} if gates else {}),
    }
    checkpoint.save(folder / "checkpoint/seed-0", made, [(1, "loss", 3.0)], facts)
    path = folder / "grid-test/000.arrow"
    shards.write(path, shards.pixels_schema(2 * SIDE), pictures(0, IMAGES), (), TOKENS, "f")
    ids = np.arange(IMAGES)
    captions = ["abcdefghij"[n % 10] + "klmnopqrst"[3 * n // 10 % 10] for n in range(IMAGES)]
    names = ["a thing", "two things", "many things"]
    if classes:
        captions = [names[n % 3] for n in range(IMAGES)]
        path_of_classes = folder / "benchmarks" / classification.FILE
        path_of_classes.parent.mkdir(parents=True)
        path_of_classes.write_text(json.dumps({"classes": names, "ordered": False}))
    benchmarks = ["classification" if classes else "retrieval", "budget"]
    annotations = Annotations(
        folder=folder,
        captions=pa.table({"caption_id": ids, "image_id": ids, "caption": captions}),
        truth=TRUTH.columns.empty_table(),
        siblings=SIBLINGS.columns.empty_table(),
    )
    (folder / "scores").mkdir()
    split = {"test": folder / "grid-test"}
    score(folder / "checkpoint", split, annotations, benchmarks, folder / "scores")
    return read_table(folder / "scores/cases.parquet", CASES)


def test_scores_and_their_curves(tmp_path) -> None:
    cases, spent = {}, {}
    for name, gates in (("vit", None), ("gates", GateSettings(block=1))):
        cases[name] = scored(tmp_path / name, gates)
        spent[name] = costs.read(tmp_path / name / "scores")
        found = by_task(cases[name])
        plain = found[Task("retrieval", "test", "text_to_image")]
        parts = [each for each in found if each.benchmark == "budget"]
        assert len(parts) == 1 + len(selections.SELECTIONS)
        for policy in selections.POLICIES if name == "vit" else selections.POLICIES[:1]:
            whole = found[Task("budget", "test", f"text_to_image/{policy} 1")]
            np.testing.assert_array_equal(whole.ranks, plain.ranks)
    assert spent["vit"].spending is None
    assert [each.share for each in spent["gates"].spending] == [each / 2 for each in BUDGETS]
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    budget_curves.draw(cases, spent, one)
    budget_curves.draw(cases, spent, other)
    assert one.read_bytes() == other.read_bytes()


def test_classes_are_asked_where_there_are_some(tmp_path) -> None:
    cases = scored(tmp_path, None, classes=True)
    found = by_task(cases)
    plain = found[Task("classification", "test", "class")]
    whole = found[Task("budget", "test", "class/own 1")]
    np.testing.assert_array_equal(whole.ranks, plain.ranks)
    parts = [each.task for each in found if each.benchmark == "budget"]
    assert len(parts) == 1 + 3 * (10 + 3 * 4)
    for policy in selections.POLICIES:
        for budget in (0.2, 0.5, 1):
            noisy = {f"class/{policy} {budget:g} {snr} dB" for snr in (-10, 0, 10, 20)}
            assert noisy <= {*parts}
