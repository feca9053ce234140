"""Config files of detectron2, looked through before it reads them: its own reader runs code.

It builds whatever Python object a YAML tag names, and fetches a `_BASE_` that is an address.
"""

from pathlib import Path
from typing import Any

import yaml

from semtok.errors import SemtokError

#: Names the files whose values a file changes, relative to its own folder.
_BASE = "_BASE_"


def check(path: Path, setting: str) -> None:
    """Refuse a config that is more than plain values in files of this machine.

    Args:
        path: of the config; the files that it builds on are looked through as well.
        setting: names it in errors.

    Raises:
        SemtokError: a file cannot be read as plain YAML, or builds on what is no local file or on
            itself.
    """
    _check(path.absolute(), setting, ())


def _check(path: Path, setting: str, above: tuple[Path, ...]) -> None:
    if path in above:
        raise SemtokError(f"{setting}: {path}: builds on itself ({_BASE}); correct it")
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SemtokError(f"{setting}: {path}: no config of plain values ({reason})") from None
    if not isinstance(content, dict):
        raise SemtokError(f"{setting}: {path}: no config of detectron2 (no values by name)")
    named = content.get(_BASE, [])
    for each in named if isinstance(named, list) else [named]:
        base = _local(path, each)
        if base is None:
            raise SemtokError(
                f"{setting}: {path}: {_BASE}: {each!r} is no file of this machine; name one"
            )
        _check(base, setting, (*above, path))


def _local(path: Path, named: Any) -> Path | None:
    """The file that a config builds on, found as detectron2 finds it; None: it would be fetched."""
    if not isinstance(named, str) or "://" in named:
        return None
    try:
        base = (path.parent / Path(named).expanduser()).resolve()
        return base if base.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a name that is none, or of nobody's home
        return None
