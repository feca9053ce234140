"""What open_clip reads by name, besides a folder: from the hub's cache alone.

A model whose text tower is one of transformers names it, and open_clip asks the hub how it is
built.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semtok.errors import SemtokError


def check_text_tower(folder: Path) -> None:
    """Hold that what a model's text tower is built by lies on this machine.

    Args:
        folder: with an `open_clip_config.json`.

    Raises:
        SemtokError: it does not; says how to fetch it.
    """
    from huggingface_hub import try_to_load_from_cache

    try:
        document = json.loads((folder / "open_clip_config.json").read_bytes())
        name = document["model_cfg"]["text_cfg"].get("hf_model_name")
    except (AttributeError, KeyError, TypeError, ValueError):
        return  # open_clip says what it lacks
    if not name or (Path(name) / "config.json").is_file():
        return
    if not isinstance(try_to_load_from_cache(name, "config.json"), str):
        raise SemtokError(
            f"{folder}: its text tower is built as {name}, whose config.json is not in the hub's "
            f"cache here; fetch it: hf download {name} config.json"
        )


@contextmanager
def offline() -> Iterator[None]:
    """The hub's client, and what uses it, finds what its cache has, and asks nobody."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
