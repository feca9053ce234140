"""What a variant could not be asked, beside its scores: `unasked.json`."""

import json
from collections.abc import Mapping
from pathlib import Path

from semtok.json_files import read_json

NAME = "unasked.json"


def write(folder: Path, reasons: Mapping[str, str]) -> None:
    """Write what a variant was not asked, benchmark -> why, into a folder of its scores."""
    text = json.dumps(dict(reasons), indent=1, sort_keys=True)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, str]:
    """What `write` wrote; nothing where it did not, as of models that were trained elsewhere.

    Raises:
        SemtokError: the file is damaged.
    """
    path = folder / NAME
    return dict(read_json(path)) if path.exists() else {}
