import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from semtok.train.history import HISTORY
from tests.checks.planted import Fault, editing
from tests.checks.tiny_line import Row

_KEY = "checkpoint@semantic"
_HISTORY = ("seed-1/history.parquet", HISTORY)


def _weight(value: float) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        path = folder / "seed-1/model.safetensors"
        weights = load_file(path)
        weights["blocks.weight"][2, 1] = value
        save_file(weights, path)

    return plant


def _loss(change: Callable[[Row], float]) -> Callable[[Path], None]:
    def plant(rows: list[Row]) -> None:
        for row in rows:
            if row["name"] == "loss":
                row["value"] = change(row)

    return editing(*_HISTORY, plant)


def _metric(value: float) -> Callable[[Path], None]:
    return editing(*_HISTORY, lambda rows: rows[3].update(value=value))  # val/loss at step 20


def _copied(folder: Path) -> None:
    shutil.copy(folder / "seed-0/model.safetensors", folder / "seed-1/model.safetensors")


FAULTS = [
    Fault(
        _KEY,
        "missing_files",
        lambda folder: (folder / "seed-1/config.json").unlink(),
        "seed=1 file=config.json",
    ),
    Fault(
        _KEY,
        "missing_files",
        lambda folder: (folder / "seed-1/model.safetensors").write_bytes(b""),
        "seed=1 file=model.safetensors",
    ),
    Fault(_KEY, "missing_files", lambda folder: shutil.rmtree(folder / "seed-1"), "seed=1"),
    Fault(_KEY, "weights_not_finite", _weight(np.nan), "seed=1 tensor=blocks.weight not_finite=1"),
    Fault(_KEY, "weights_not_finite", _weight(np.inf), "seed=1 tensor=blocks.weight not_finite=1"),
    Fault(_KEY, "repeated_trainings", _copied, "seed=0"),
    Fault(_KEY, "history_not_finite", _metric(np.nan), "seed=1 step=20 name=val/loss"),
    Fault(_KEY, "history_not_finite", _metric(np.inf), "seed=1 step=20 name=val/loss"),
    Fault(
        _KEY,
        "unfinished_trainings",
        editing(*_HISTORY, lambda rows: rows[:-2]),
        "seed=1 last_step=30 steps=40",
    ),
    Fault(_KEY, "loss_fall", _loss(lambda row: 4.0), "seed=1 first_loss=4.0 last_loss=4.0"),
    Fault(_KEY, "loss_fall", _loss(lambda row: row["step"] / 10), "seed=1 first_loss=1.0"),
    Fault(
        _KEY,
        "loss_fall",
        _loss(lambda row: np.nan if row["step"] == 40 else row["value"]),
        "seed=1 first_loss=3.5 last_loss=nan",
        {"history_not_finite"},
    ),
]
