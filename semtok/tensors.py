"""Tensors at rest: one file of safetensors."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from semtok.errors import SemtokError


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors of any device by their names.

    Raises:
        SemtokError: the file cannot be written, e.g. because the disk is full.
    """
    try:
        save_file(
            {name: each.contiguous() for name, each in tensors.items()},
            path,
            dict(metadata) if metadata else None,
        )
    except SafetensorError as error:
        # The library wraps the system's error in one of its own.
        raise SemtokError(
            f"{path}: cannot be written ({error}); free space and start again"
        ) from None
