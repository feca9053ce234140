"""What gates keep of images: the tokens that are left, counted anew, and what they cost."""

from pathlib import Path

import numpy as np
import pytest
import torch

from semtok.bench import keeping
from semtok.models.adaptive import run
from semtok.params import GateSettings
from semtok.report import kept_tokens
from semtok.tokens import shards
from semtok.train import checkpoint
from semtok.train.spending import BUDGETS
from semtok.train.text_tokenizer import learn
from tests.bench.test_budget import COLLATE, SIDE, TOKENS, model, pictures

IMAGES = 20


def trained(folder: Path, gates: GateSettings | None) -> tuple[Path, Path]:
    """A checkpoint whose thresholds fall with the budget, as they do once trained; and shards."""
    made = model(gates)
    if gates is not None:
        with torch.no_grad():
            made.vision.gates.threshold[0].weight.fill_(0.5)
            made.vision.gates.budget[0], made.vision.gates.budget[1] = -1.0, 1.0
    text = learn(["a caption of a thing"], 300, 12)
    checkpoint.save(folder / "seed-0", checkpoint.Checkpoint(made, text, TOKENS, COLLATE), [], {})
    path = folder / "grid-val/000.arrow"
    shards.write(path, shards.pixels_schema(2 * SIDE), pictures(0, IMAGES), (), TOKENS, "f")
    return folder / "seed-0", folder / "grid-val"


@pytest.fixture(scope="module")
def gated(tmp_path_factory) -> tuple[Path, Path]:
    return trained(tmp_path_factory.mktemp("gated"), GateSettings(block=1, bias=0.5))


def test_kept_tokens_are_those_with_a_weight_where_they_are_sent(gated) -> None:
    found = keeping.keep(*gated, images=3)
    loaded = checkpoint.load(gated[0])
    batch = loaded.collate(found.rows)
    for budget, kept in zip(keeping.SHOWN, found.kept, strict=True):
        with torch.inference_mode():
            weights = run(loaded.model.vision, batch, torch.full((3,), budget)).weights
        np.testing.assert_array_equal(kept, weights[0] > 0)
    counts = found.kept.sum(axis=(1, 2))
    assert 0 < counts[0] < counts[-1]


def test_more_is_left_and_costs_more_the_larger_the_budget(gated) -> None:
    found = keeping.measure(*gated, images=IMAGES)
    assert [each.budget for each in found] == list(BUDGETS)
    loaded = checkpoint.load(gated[0])
    batch = loaded.collate(pictures(0, IMAGES))
    for each in found:
        with torch.inference_mode():
            left = run(loaded.model.vision, batch, torch.full((IMAGES,), each.budget)).weights
        assert each.share == pytest.approx((left[0] > 0).double().mean().item())
    flops = [each.flops for each in found]
    assert flops == sorted(flops)
    assert flops[0] < flops[-1]
    assert all(each.milliseconds > 0 for each in found)


def test_without_gates_there_is_nothing_to_keep(tmp_path) -> None:
    plain = trained(tmp_path, None)
    assert keeping.keep(*plain, images=2) is None
    assert keeping.measure(*plain, images=2) is None
    assert kept_tokens.draw_first(*plain, 2, tmp_path) == ()


def test_what_was_dropped_is_dark_and_a_picture_the_same_twice(gated, tmp_path) -> None:
    shown = np.full((4, 4, 3), 200, np.uint8)
    owners = np.array([[0, 0, 1, 1]] * 3 + [[-1] * 4])
    found = kept_tokens.dimmed(shown, owners, np.array([True, False]))
    assert (found[:3, :2] == 200).all()
    assert (found[:3, 2:] < 50).all()
    assert (found[3] < 50).all()
    for name in ("one", "other"):
        (drawn,) = kept_tokens.draw_first(*gated, 2, tmp_path / name)
    assert (tmp_path / "one" / drawn).read_bytes() == (tmp_path / "other" / drawn).read_bytes()
