"""The training loop. It emits events and knows no tracker."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semtok.errors import SemtokError
from semtok.events import Emit, Message, Metrics, Progress, ignore
from semtok.params import TrainSettings
from semtok.train import distributed, processes, resume
from semtok.train.batches import Batch, ahead
from semtok.train.objective import Objective

#: CLIP's (arXiv 2103.00020, table 20): a shorter memory of squares than Adam's default is steadier
#: with a contrastive loss.
_BETAS, _EPSILON = (0.9, 0.98), 1e-6

_VALIDATIONS = 4


class DivergedError(SemtokError):
    """The loss or its gradient stopped being finite."""


def fit(
    objective: Objective,
    batches: Callable[[int], Iterator[Batch]],
    settings: TrainSettings,
    validate: Callable[[], dict[str, float]],
    state: Path,
    fingerprint: str,
    emit: Emit = ignore,
    probe: Callable[[], Mapping[str, float]] = dict,
) -> resume.Position:
    """Train a model in place, from its resume state where there is one.

    Where several processes train together, each calls this with its part of the batches. The first
    alone validates, reports and saves.

    On CPU, and with the same number of threads, a training that was killed and resumed ends with
    the same weights, bit for bit, as one that ran through.

    Args:
        objective: of a model freshly initialised, on its device.
        batches: gives the batches from a step on (counted from 0), a pure function of the step.
        settings: the recipe.
        validate: called a few times during training; returns named values.
        state: folder for the resume state.
        fingerprint: of all that the result depends on; a state with another one is ignored.
        emit: told of progress and metrics.
        probe: measures the machine; its values join each report.

    Returns:
        Steps, seconds and metrics.

    Raises:
        DivergedError: the loss or the gradient is not finite.
    """
    model = objective.model
    optimizer = _optimizer(objective, settings)
    position = resume.load(state, fingerprint, objective, optimizer) or resume.Position()
    if position.step:
        emit(Message(f"training goes on after step {position.step}"))
    replica = distributed.replicated(objective)
    if not processes.leads():
        emit = ignore
    validations = {settings.steps * n // _VALIDATIONS for n in range(1, _VALIDATIONS + 1)}
    pending: list[Tensor] = []  # losses and gradient norm of each step since the last report
    objective.train()
    started = time.perf_counter()
    missing = settings.steps - position.step
    for batch in itertools.islice(ahead(batches(position.step)), missing):
        step = position.step + 1
        rate = learning_rate(step, settings)
        pending.append(_update(objective, replica, optimizer, batch, rate, settings.clip_norm))
        position.step = step
        emit(Progress("training", step, settings.steps))

        validate_now = step in validations
        save_now = step == settings.steps or step % settings.save_every == 0
        # A state is saved right after a report, so that it need not hold what is pending.
        if validate_now or save_now or step % settings.log_every == 0:
            values = _report(pending, objective.names, step, settings)
            seconds = time.perf_counter() - started
            position.seconds += seconds
            values["learning_rate"] = rate
            values["images_per_second"] = len(pending) * settings.batch_size / seconds
            values["logit_scale"] = model.logit_scale.item()
            values |= probe()
            pending.clear()
            if validate_now and processes.leads():
                values |= validate()
            position.history += [(step, name, value) for name, value in values.items()]
            emit(Metrics(step, values))
            if save_now and processes.leads():
                resume.save(state, fingerprint, position, objective, optimizer)
            started = time.perf_counter()
    return position


def learning_rate(step: int, settings: TrainSettings) -> float:
    """Linear warm-up to `settings.learning_rate`, then half a cosine down to 0 at the last step.

    Args:
        step: counted from 1.
        settings: the recipe.
    """
    if step <= settings.warmup:
        return settings.learning_rate * step / settings.warmup
    done = (step - settings.warmup) / (settings.steps - settings.warmup)
    return settings.learning_rate * (1 + math.cos(math.pi * done)) / 2


def _optimizer(objective: Objective, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW (arXiv 1711.05101): matrices decay; norms, biases, bias tables and the scale do not."""
    tables = {id(each) for each in objective.model.vision.bias.parameters()}
    trainable = [each for each in objective.parameters() if each.requires_grad]
    matrices = [each for each in trainable if each.ndim >= 2 and id(each) not in tables]
    others = [each for each in trainable if each.ndim < 2 or id(each) in tables]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        betas=_BETAS,
        eps=_EPSILON,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def _update(
    objective: Objective,
    replica: nn.Module,
    optimizer: torch.optim.AdamW,
    batch: Batch,
    rate: float,
    clip_norm: float,
) -> Tensor:
    """Make one step; returns the losses before it and the norm of their gradient, on the device."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    losses = replica(batch)
    optimizer.zero_grad()
    sum(losses[1:], start=losses[0]).backward()
    trainable = [each for each in objective.parameters() if each.requires_grad]
    norm = torch.nn.utils.clip_grad_norm_(trainable, clip_norm)
    optimizer.step()
    objective.model.clamp_logit_scale()
    return torch.stack([*(loss.detach() for loss in losses), norm])


def _report(
    pending: list[Tensor], names: Sequence[str], step: int, settings: TrainSettings
) -> dict[str, float]:
    """Means since the last report; reading them back here, not at each step, keeps a GPU busy."""
    values = distributed.mean(torch.stack(pending)).cpu()
    finite = values.isfinite().all(dim=1)
    if not bool(finite.all()):
        first = int((~finite).int().argmax())
        *losses, norm = values[first].tolist()
        raise DivergedError(
            f"training: at step {step - len(pending) + 1 + first} the loss is {sum(losses):.4g} "
            f"and the gradient's norm {norm:.4g}; "
            f"lower train.learning_rate (now {settings.learning_rate}) "
            "or raise train.warmup"
        )
    means = values.mean(dim=0).tolist()
    return dict(zip((*names, "gradient_norm"), means, strict=True))
