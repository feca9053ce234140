"""Vectors kept on disk while a model is scored, so that a run that was killed goes on."""

import hashlib
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from semtok.errors import SemtokError

#: Metadata of a file: says whether its numbers are those that were written.
_CHECKSUM = "checksum"

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

        Raises:
            SemtokError: they cannot be written, as where the disk is full.
        """
        if self._folder is None:
            return compute()
        path = self._folder / f"{key}.safetensors"
        if path.exists() and (kept := _read(path)) is not None:
            return kept
        vectors = compute()
        try:
            _write(path, vectors.contiguous().cpu())
        except OSError as error:
            raise SemtokError(
                f"{self._folder}: {error.strerror or error}; vectors are kept there until the "
                "gate is green: make room and run it again"
            ) from None
        return vectors


def _read(path: Path) -> Tensor | None:
    """What was kept; None where a machine that went down, or a faulty disk, damaged it."""
    try:
        with safe_open(path, "pt") as file:
            vectors: Tensor = file.get_tensor("vectors")
            stated = (file.metadata() or {}).get(_CHECKSUM)
    except SafetensorError:
        return None
    return vectors if stated == _checksum(vectors) else None


def _write(path: Path, vectors: Tensor) -> None:
    content = save({"vectors": vectors}, {_CHECKSUM: _checksum(vectors)})
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under its name it is whole: what a kill leaves of it is not found.
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _checksum(vectors: Tensor) -> str:
    """Of shape and numbers."""
    content = str(tuple(vectors.shape)).encode() + vectors.numpy().tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def libraries() -> dict[str, str]:
    """The versions of the packages that decide a model's vectors, of those that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
