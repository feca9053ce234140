"""Folders of models that were trained elsewhere: which library reads them."""

import json
from pathlib import Path
from typing import Literal

from semtok.bench.outside import Reader, Source
from semtok.errors import SemtokError
from semtok.workspace import digest

Library = Literal["transformers", "open_clip"]


def of_folder(folder: Path) -> Source:
    """A model of transformers (`outside_transformers`) or open_clip (`outside_open_clip`).

    Args:
        folder: of its files; DVC watches them.

    Raises:
        SemtokError: it holds neither.
    """
    which = library(folder)
    return Source(str(folder), {"digest": digest(folder)}, lambda: read(which, folder))


def library(folder: Path) -> Library:
    """What reads the model of a folder; where it is there for both, transformers.

    Raises:
        SemtokError: it holds no model of either.
    """
    config, other = folder / "config.json", folder / "open_clip_config.json"
    if config.is_file() and not (other.is_file() and _is_of_timm(config)):
        return "transformers"
    if other.is_file():
        return "open_clip"
    raise SemtokError(
        f"{folder}: holds no model of transformers (config.json) or open_clip "
        "(open_clip_config.json); name a folder that has one, or one of the hub in remote_models: "
        "{hub: ID, revision: COMMIT}"
    )


def read(which: Library, folder: Path) -> Reader:
    """Open a model, as of `Source.read`."""
    if which == "transformers":
        from semtok.bench.outside_transformers import TransformersModel

        return TransformersModel(folder)
    from semtok.bench.outside_open_clip import OpenClipModel

    return OpenClipModel(folder)


def _is_of_timm(config: Path) -> bool:
    """Whether a `config.json` names no kind of model of transformers, as timm's do not."""
    try:
        return "model_type" not in json.loads(config.read_bytes())
    except (TypeError, ValueError):
        return False
