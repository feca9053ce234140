"""`params.yaml` -> validated settings: the only place that reads the file."""

from pathlib import Path
from typing import Any

from semtok.consistency import check, check_places
from semtok.params import Params
from semtok.parsing import parse, read


def load(path: Path) -> Params:
    """Read and validate a `params.yaml`.

    Raises:
        SemtokError: the file is missing or no YAML, or a key is unknown, missing or mistyped.
    """
    return validate(read(path), path)


def validate(raw: Any, path: Path) -> Params:
    """Turn what a `params.yaml` holds into settings.

    Args:
        raw: what YAML gave.
        path: names the file in errors.

    Raises:
        SemtokError: a key is unknown, missing or mistyped, or names do not fit together.
    """
    check_places(raw, path)
    params = parse(Params, raw, str(path))
    check(params, path)
    return params
