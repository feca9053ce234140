"""Faults of whatever an extractor trained itself."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from semtok.extract.crossfit import folds_of
from semtok.extract.learned import LEARNED, TRAINED_ON
from tests.checks.planted import Fault, editing
from tests.checks.tiny_line import TEST, Row

_SEEN = ("trained_on.parquet", TRAINED_ON)


def faults(key: str) -> list[Fault]:
    """One for every expectation of `semtok.checks.learned`."""
    return [
        Fault(
            key,
            "missing_files",
            lambda folder: (folder / "fold-1.safetensors").unlink(),
            "file=fold-1.safetensors",
        ),
        Fault(key, "weights_not_finite", _spoil, "file=fold-0.safetensors tensor=tower.weight"),
        Fault(key, "leaked_images", editing(*_SEEN, _leak), "fold=0 image_id="),
        Fault(key, "images_of_other_splits", editing(*_SEEN, _test_image), f"image_id={TEST[0]}"),
        Fault(key, "loss_fall", _loss(lambda row: 2.0), "first_loss=1.75 last_loss=2.0"),
        Fault(key, "loss_fall", _loss(lambda row: np.nan), "last_loss=nan"),
    ]


def _spoil(folder: Path) -> None:
    path = folder / "fold-0.safetensors"
    weights = load_file(path)
    weights["tower.weight"][1, 1] = np.nan
    save_file(weights, path)


def _leak(rows: list[Row]) -> None:
    (row, *_) = (each for each in rows if each["fold"] == 1)
    row["fold"] = 0  # an image of fold 0, which network 1 may learn from and network 0 may not


def _test_image(rows: list[Row]) -> list[Row]:
    (own,) = folds_of(np.array(TEST), 2).tolist()
    return [*rows, {"fold": 1 - own, "image_id": TEST[0]}]


def _loss(change: Callable[[Row], float]) -> Callable[[Path], None]:
    def plant(rows: list[Row]) -> None:
        for row in rows[-1:]:
            row["value"] = change(row)

    return editing("history.parquet", LEARNED, plant)
