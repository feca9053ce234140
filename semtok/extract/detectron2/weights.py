"""Weights of detectron2 from files that are pickles, without running what a pickle asks for."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from semtok.errors import SemtokError

#: What arrays of numpy are made of. Nothing else is made that a file of the zoo names.
_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
}


def read_weights(path: Path, setting: str) -> dict[str, Tensor]:
    """Read a checkpoint.

    Args:
        path: `.safetensors`; `.pth`, of which torch reads tensors alone; or `.pkl`, as the model
            zoo has them, of which arrays of numpy are read alone.
        setting: names it in errors.

    Returns:
        Name -> weight.

    Raises:
        SemtokError: it is missing, damaged, or asks for anything but numbers.
    """
    try:
        found = _READERS[path.suffix](path)
    except KeyError:
        raise SemtokError(
            f"{setting}: {path}: is no {', '.join(_READERS)}; name a file of one of these"
        ) from None
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise SemtokError(
            f"{setting}: {path}: no weights that can be read safely ({reason})"
        ) from None
    weights = found.get("model", found) if isinstance(found, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(each, Tensor | np.ndarray) for each in weights.values()
    ):
        raise SemtokError(f"{setting}: {path}: holds no weights by name (`model`)")
    return {name: torch.as_tensor(each) for name, each in weights.items()}


class _Arrays(pickle.Unpickler):
    """Reads arrays of numpy, and refuses whatever else a file names."""

    def find_class(self, module: str, name: str) -> Any:
        """Only what is harmless."""
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _of_zoo(path: Path) -> Any:
    with path.open("rb") as stream:
        return _Arrays(stream, encoding="latin1").load()


_READERS: Mapping[str, Callable[[Path], Any]] = {
    ".safetensors": load_file,
    ".pth": lambda path: torch.load(path, map_location="cpu", weights_only=True),
    ".pkl": _of_zoo,
}
