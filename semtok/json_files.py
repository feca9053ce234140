"""JSON at rest: one mapping a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semtok.errors import SemtokError


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, keys in order."""
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a mapping.

    Raises:
        SemtokError: the file is missing or no JSON mapping.
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SemtokError(f"{path}: no such file; run the stage that makes it") from None
    except (ValueError, TypeError) as error:
        raise SemtokError(f"{path}: no JSON mapping ({error}); run its stage again") from None
