"""Vectors kept on disk while a model is scored, so that a run that was killed goes on."""

import os
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor


class KeptVectors:
    """Vectors by the key of the batch that they are of."""

    def __init__(self, folder: Path | None) -> None:
        """Take up what is there.

        Args:
            folder: of one model and its inputs, made where it is missing; None: nothing is kept.
        """
        self._folder = folder

    def get(self, key: str, compute: Callable[[], Tensor]) -> Tensor:
        """Vectors, computed once.

        Args:
            key: identifies the batch; a file name.
            compute: gives them.
        """
        if self._folder is None:
            return compute()
        path = self._folder / f"{key}.safetensors"
        if path.exists():
            return load_file(path)["vectors"]
        vectors = compute()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Under its name it is whole: what a kill leaves of it is not found.
        unfinished = path.with_suffix(f".{os.getpid()}")
        save_file({"vectors": vectors.contiguous().cpu()}, unfinished)
        unfinished.replace(path)
        return vectors
