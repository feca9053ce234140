"""Vectors kept on disk while a model is scored, so that a run that was killed goes on."""

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

#: Packages that decide a model's vectors: its library, and what reads and resizes images.
_LIBRARIES = [
    "open_clip_torch",
    "opencv-python-headless",
    "pillow",
    "simplejpeg",
    "timm",
    "tokenizers",
    "torch",
    "torchvision",
    "transformers",
]


class KeptVectors:
    """Vectors by the key of the batch that they are of."""

    def __init__(self, folder: Path | None) -> None:
        """Take up what is there.

        Args:
            folder: of one model and its inputs, made where it is missing; None: nothing is kept.
        """
        self._folder = folder

    def get(self, key: str, compute: Callable[[], Tensor]) -> Tensor:
        """Vectors, computed once; again where what was kept of them is damaged.

        Args:
            key: identifies the batch; a file name.
            compute: gives them.
        """
        if self._folder is None:
            return compute()
        path = self._folder / f"{key}.safetensors"
        if path.exists():
            try:
                return load_file(path)["vectors"]
            except SafetensorError:  # a full disk, or a machine that went down, cut it
                path.unlink()
        vectors = compute()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Under its name it is whole: what a kill leaves of it is not found.
        unfinished = path.with_suffix(f".{os.getpid()}")
        save_file({"vectors": vectors.contiguous().cpu()}, unfinished)
        unfinished.replace(path)
        return vectors


def libraries() -> dict[str, str]:
    """The versions of the packages that decide a model's vectors, of those that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
