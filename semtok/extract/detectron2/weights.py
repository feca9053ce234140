"""Weights of detectron2 from files of tensors. Pickles, as its model zoo has them, are not read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from semtok.errors import SemtokError


def read_weights(path: Path, setting: str) -> dict[str, Tensor]:
    """Read a checkpoint.

    Args:
        path: `.safetensors`, or `.pth`, of which torch reads tensors alone.
        setting: names it in errors.

    Returns:
        Name -> weight.

    Raises:
        SemtokError: it is missing, damaged, or anything but tensors.
    """
    if path.suffix == ".pkl":
        raise SemtokError(
            f"{setting}: {path}: is a pickle, which can run code as it is read; write its weights "
            "as .pth once, where you trust it (docs/extractors.md: detectron2)"
        )
    if path.suffix not in _READERS:
        raise SemtokError(
            f"{setting}: {path}: is no {', '.join(_READERS)}; name a file of one of these"
        )
    try:
        found = _READERS[path.suffix](path)
    except Exception as error:  # of many kinds, as bytes can be damaged in many ways
        reason = " ".join(str(error).split())[:200]
        raise SemtokError(f"{setting}: {path}: no weights that can be read ({reason})") from None
    weights = found.get("model", found) if isinstance(found, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(each, Tensor) for name, each in weights.items()
    ):
        raise SemtokError(f"{setting}: {path}: holds no weights by name (`model`)")
    return weights


_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".safetensors": load_file,
    ".pth": lambda path: torch.load(path, map_location="cpu", weights_only=True),
}
