"""The study's settings: `study.yaml` laid over `params.yaml`, which DVC and Dagster read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semtok import params
from semtok.errors import SemtokError
from semtok.params import Params

_HEADER = """\
# Written by `semtok study {size}`: the settings of study.yaml over those that stood here.
# `git checkout params.yaml` brings the demo's settings back.
"""


@dataclass(frozen=True)
class Study:
    """All of `study.yaml`: what to lay over `params.yaml`, in the same shape."""

    sizes: Mapping[str, Mapping[str, Any]]
    all: Mapping[str, Any] = field(default_factory=dict)  # whatever the size


def write(root: Path, size: str) -> Params:
    """Write `params.yaml` with the study's settings; written again, it stays the same.

    Args:
        root: the project's folder, with `params.yaml` and `study.yaml`.
        size: one of `sizes` in `study.yaml`.

    Returns:
        The settings as they now stand.

    Raises:
        SemtokError: a file is missing or wrong, or there is no such size; `params.yaml` stays.
    """
    import yaml

    path, document = root / "params.yaml", _document(root, size)
    found = params.validate(document, root / "study.yaml")
    text = yaml.safe_dump(document, sort_keys=False, width=100)
    partial = path.with_suffix(".partial")  # a full disk must not cost the settings
    partial.write_text(_HEADER.format(size=size) + text, encoding="utf-8")
    partial.replace(path)
    return found


def settings(root: Path, size: str) -> Params:
    """The study's settings, whether or not they stand in `params.yaml` now.

    Args:
        root: as for `write`.
        size: as for `write`.

    Raises:
        SemtokError: as for `write`.
    """
    return params.validate(_document(root, size), root / "study.yaml")


def laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Join two mappings key by key, at any depth; whatever else `changes` holds replaces."""
    return {
        **base,
        **{
            key: laid_over(base[key], value)
            if isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
            else value
            for key, value in changes.items()
        },
    }


def _document(root: Path, size: str) -> dict[str, Any]:
    path = root / "study.yaml"
    study = params.parse(Study, params.read(path), str(path))
    if size not in study.sizes:
        known = ", ".join(study.sizes) or "none"
        raise SemtokError(f"{size}: no such size of the study; there are {known}")
    base = params.read(root / "params.yaml")
    if not isinstance(base, Mapping):
        raise SemtokError(f"{root / 'params.yaml'}: no settings; git checkout params.yaml")
    return laid_over(laid_over(base, study.all), study.sizes[size])
