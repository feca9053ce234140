from collections.abc import Callable
from pathlib import Path

from tests.checks.planted import Fault
from tests.checks.planted.learned import faults

_KEY = "relation_model@small"


def _quality(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "quality.json").write_text(text) and None


FAULTS = [
    *faults(_KEY),
    Fault(_KEY, "recall", _quality('{"R@20": 0.05, "mR@20": 0.5}'), "recall=0.05"),
    Fault(_KEY, "mean_recall", _quality('{"R@20": 0.5, "mR@20": 0.05}'), "mean_recall=0.05"),
]
