"""What a model could not be asked, beside its scores: `unasked.json`."""

from collections.abc import Mapping
from pathlib import Path

from semtok.json_files import read_json, write_json

NAME = "unasked.json"


def write(folder: Path, reasons: Mapping[str, str]) -> None:
    """Write what a model was not asked, benchmark -> why, into a folder of its scores."""
    write_json(folder / NAME, dict(reasons))


def read(folder: Path) -> dict[str, str]:
    """What `write` wrote; nothing where it did not, as of versions registered before it did.

    Raises:
        SemtokError: the file is damaged.
    """
    path = folder / NAME
    return dict(read_json(path)) if path.exists() else {}
