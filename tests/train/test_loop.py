import math
from dataclasses import replace

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from semtok.errors import SemtokError
from semtok.events import Metrics, Progress
from semtok.models import image_text
from semtok.params import TrainSettings
from semtok.train import checkpoint
from semtok.train.loop import learning_rate
from semtok.train.train import train

RECIPE = TrainSettings(
    steps=100, batch_size=8, learning_rate=0.5, weight_decay=0.1, warmup=10, clip_norm=1.0,
    seeds=(0,), log_every=5, save_every=50,
)  # fmt: skip


def test_learning_rate_warms_up_and_falls_as_torchs_cosine() -> None:
    assert [learning_rate(step, RECIPE) for step in (1, 5, 10)] == pytest.approx([0.05, 0.25, 0.5])
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    schedule = CosineAnnealingLR(optimizer, T_max=90)
    for step in range(11, 101):
        optimizer.step()
        schedule.step()
        assert learning_rate(step, RECIPE) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert learning_rate(100, RECIPE) == 0
    assert learning_rate(1, replace(RECIPE, warmup=0)) < 0.5


@pytest.mark.parametrize("variant", ["grid", "semantic"])
def test_it_learns_and_tells_how(variant, arguments, tmp_path) -> None:
    events = []
    given = arguments(variant, steps=60, log_every=10, save_every=40)
    train(**given, staging=tmp_path, resume=tmp_path / "resume", emit=events.append)
    steps = [each for each in events if isinstance(each, Progress)]
    assert [each.done for each in steps] == list(range(1, 61))
    metrics = {each.step: each.values for each in events if isinstance(each, Metrics)}
    assert list(metrics) == [10, 15, 20, 30, 40, 45, 50, 60]
    assert metrics[10]["loss"] == pytest.approx(math.log(8), rel=0.4)
    assert metrics[60]["loss"] < 0.6 * metrics[10]["loss"]
    assert {step for step, values in metrics.items() if "val/loss" in values} == {15, 30, 45, 60}
    assert metrics[60]["val/loss"] < metrics[15]["val/loss"]
    assert metrics[60]["learning_rate"] == 0


def test_divergence_names_its_step_and_leaves_no_broken_state(arguments, tmp_path) -> None:
    given = arguments("grid", steps=60, learning_rate=1e38, warmup=0, clip_norm=1e38, log_every=7)
    with pytest.raises(SemtokError, match=r"at step \d+ the loss is .* lower train.learning_rate"):
        train(**given, staging=tmp_path, resume=tmp_path / "resume")
    assert not (tmp_path / "resume").exists()


def test_logit_scale_stays_below_100(arguments, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(image_text, "_INITIAL_TEMPERATURE", 0.001)
    given = arguments("grid", steps=1, warmup=0)
    train(**given, staging=tmp_path, resume=tmp_path / "resume")
    model = checkpoint.load(tmp_path).model
    assert model.logit_scale.item() == pytest.approx(100)
