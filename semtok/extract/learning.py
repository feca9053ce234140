"""The training of the extractors' own networks: K of them, one a fold, each the same way."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from semtok.errors import SemtokError
from semtok.events import Emit, Metrics, Progress
from semtok.extract.crossfit import folds_of
from semtok.extract.learned import LEARNED, TRAINED_ON
from semtok.extract.trained import FORMAT, device
from semtok.json_files import write_json
from semtok.params import LearningSettings
from semtok.tables import write_table
from semtok.tensors import write_tensors

Batch = TypeVar("Batch")

_WARMUP, _CLIP, _WEIGHT_DECAY = 0.1, 5.0, 0.05  # share of the steps; norm of the gradient
_REPORTS = 20  # of one training


@dataclass(frozen=True)
class Task(Generic[Batch]):
    """What is to be learned.

    Attributes:
        name: in progress events.
        network: makes a fresh network.
        image_ids: [N] the images there are to learn from.
        read: places of some of the images and a random generator -> a batch.
        loss: the parts of the loss by name; their sum is made small.
    """

    name: str
    network: Callable[[], nn.Module]
    image_ids: NDArray[np.int64]
    read: Callable[[NDArray[np.int64], torch.Generator], Batch]
    loss: Callable[[Any, Batch, torch.Generator], Mapping[str, Tensor]]


def learn(
    task: Task[Batch],
    settings: LearningSettings,
    config: Mapping[str, Any],
    staging: Path,
    emit: Emit,
) -> None:
    """Train a network a fold and write `config.json`, `fold-K.safetensors` and their tables.

    On a CPU, and with the same number of threads, the same inputs give the same bytes.

    Args:
        task: what is to be learned.
        settings: how.
        config: what `trained.load` makes networks by, beside the folds.
        staging: the folder to write to.
        emit: told of progress and metrics.

    Raises:
        SemtokError: a fold leaves no image to learn from, or a loss is not finite.
    """
    own = folds_of(task.image_ids, settings.folds)
    seen, learned = [], []
    for fold in range(settings.folds):
        places = np.flatnonzero(own != fold)
        if not len(places):
            raise SemtokError(
                f"{task.name}: fold {fold} leaves no training image to learn from; "
                "lower folds or add images"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed * settings.folds + fold)
            network = task.network().to(device()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        used, history = _fit(network, task, places, settings, fold, emit)
        seen += [{"fold": fold, "image_id": each} for each in task.image_ids[sorted(used)].tolist()]
        learned += [dict(zip(LEARNED.columns.names, (fold, *row), strict=True)) for row in history]
        write_tensors(staging / f"fold-{fold}.safetensors", network.state_dict())
    for name, rows, schema in (("trained_on", seen, TRAINED_ON), ("history", learned, LEARNED)):
        table = pa.Table.from_pylist(rows, schema=schema.columns)
        write_table(staging / f"{name}.parquet", table, schema)
    content = {"format": FORMAT, "folds": settings.folds, **config}
    write_json(staging / "config.json", content)


def _fit(
    network: nn.Module,
    task: Task[Batch],
    places: NDArray[np.int64],
    settings: LearningSettings,
    fold: int,
    emit: Emit,
) -> tuple[set[int], list[tuple[int, str, float]]]:
    """Train in place; returns the places that were looked at, and the history."""
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    random = torch.Generator().manual_seed(settings.seed * settings.folds + fold)
    draws = _draws(places, settings.batch_size, random)
    every = max(1, settings.steps // _REPORTS)
    used: set[int] = set()
    history: list[tuple[int, str, float]] = []
    pending: list[dict[str, Tensor]] = []
    network.train()
    started = time.perf_counter()
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _rate(step, settings.steps)
        chosen = next(draws)
        used.update(chosen.tolist())
        parts = task.loss(network, task.read(chosen, random), random)
        optimizer.zero_grad()
        torch.stack([*parts.values()]).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        pending.append({name: each.detach() for name, each in parts.items()})
        emit(Progress(task.name, fold * settings.steps + step, settings.folds * settings.steps))
        if step % every == 0 or step == settings.steps:
            values = _means(pending, task.name, step, settings)
            history += [(step, name, value) for name, value in values.items()]
            seconds = time.perf_counter() - started
            speed = len(pending) * settings.batch_size / seconds
            emit(Metrics(step, {**values, "images_per_second": speed}))
            pending.clear()
            started = time.perf_counter()
    return used, history


def _draws(
    places: NDArray[np.int64], batch_size: int, random: torch.Generator
) -> Iterator[NDArray[np.int64]]:
    """Batches without end: every image once before any comes again."""
    left = np.empty(0, np.int64)
    while True:
        while len(left) < batch_size:
            order = torch.randperm(len(places), generator=random).numpy()
            left = np.concatenate([left, places[order]])
        yield left[:batch_size]
        left = left[batch_size:]


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to 0, as a share of the learning rate."""
    warm = min(1.0, step / max(1.0, _WARMUP * steps))
    return warm * (1 + math.cos(math.pi * (step - 1) / steps)) / 2


def _means(
    pending: list[dict[str, Tensor]], name: str, step: int, settings: LearningSettings
) -> dict[str, float]:
    values = {
        part: float(torch.stack([each[part] for each in pending]).mean()) for part in pending[0]
    }
    values["loss"] = sum(values.values())
    if not math.isfinite(values["loss"]):
        raise SemtokError(
            f"{name}: the loss is {values['loss']:.4g} at step {step}; "
            f"lower its learning_rate (now {settings.learning_rate})"
        )
    return values
