"""Settings of a study, laid over those of `params.yaml`, which DVC and Dagster read.

`study.yaml` is of scenes; any `study_NAME.yaml` beside it is one more, with sizes of its own.
"""

import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from semtok import params_file
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.params import Params
from semtok.parsing import parse, read
from semtok.remote import locate
from semtok.workspace import fingerprint

_HEADER = """# Written by `semtok study {size}` ({identity}):
# the settings of {file} over those that stood here.
# `git checkout params.yaml` brings the demo's back; params.yaml.before is what stood here.
"""
_WRITTEN = re.compile(r"# Written by `semtok study .+` \((\w+)\):\n#.*\n#.*\n")


@dataclass(frozen=True)
class Study:
    """All of one file: what to lay over `params.yaml`, in the same shape.

    Attributes:
        sizes: by name, what is laid over last.
        all: whatever the size.
        replaced: blocks of `params.yaml` that make way for those of `all`, where other blocks are
            joined with them key by key.
    """

    sizes: Mapping[str, Mapping[str, Any]]
    all: Mapping[str, Any] = field(default_factory=dict)
    replaced: Sequence[str] = ()


def write(root: Path, size: str, source: str | None = None, emit: Emit = ignore) -> Params:
    """Write `params.yaml` with the study's settings; written again, it stays the same.

    A file that is not as a study wrote it is kept beside it: it may hold edits that git does not
    know.

    Args:
        root: the project's folder, with `params.yaml` and `study.yaml`.
        size: one of `sizes` in `study.yaml`, or in a `study_NAME.yaml`.
        source: the data's root, an absolute path or an address, where the study's settings cannot
            know it.
        emit: told of the file that is kept.

    Returns:
        The settings as they now stand.

    Raises:
        SemtokError: a file is missing or wrong, or there is no such size or no such data;
            `params.yaml` stays.
    """
    import yaml

    path = root / "params.yaml"
    file, document = _document(root, size, source)
    found = params_file.validate(document, file)
    made = found.data.format in found.data.settings
    if not made and not locate(root, found.data.source).exists():
        raise SemtokError(
            f"{size}: data.source: no {found.data.source} here; name the data's root with --source"
        )
    text = yaml.safe_dump(document, sort_keys=False, width=100)
    partial = path.with_suffix(".partial")  # a full disk must not cost the settings
    header = _HEADER.format(size=size, identity=fingerprint(text), file=file.name)
    partial.write_text(header + text, encoding="utf-8")
    if kept := _keep(path):
        emit(Message(f"{path.name} as it was: {kept.name}"))
    partial.replace(path)
    return found


def settings(root: Path, size: str, source: str | None = None) -> Params:
    """The study's settings, whether or not they stand in `params.yaml` now.

    Args:
        root, size: as for `write`.
        source: the data's root; by default as `write` was told, where this study stands there.

    Raises:
        SemtokError: as for `write`, but of missing data.
    """
    file, document = _document(root, size, source)
    found = params_file.validate(document, file)
    written = read(root / "params.yaml").get("data")
    if source is None and isinstance(written, Mapping) and written.get("name") == found.data.name:
        return replace(found, data=replace(found.data, source=str(written.get("source"))))
    return found


def file_of(root: Path, size: str) -> Path:
    """The file that has a size.

    Args:
        root, size: as for `write`.

    Raises:
        SemtokError: a file is missing or wrong, or there is no such size, or several.
    """
    return _find(root, size)[0]


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


def _keep(path: Path) -> Path | None:
    """Copy a file to a free name beside it; None where it is as a study wrote it."""
    text = path.read_bytes()
    found = text.decode()
    written = _WRITTEN.match(found)
    if written and written[1] == fingerprint(found[written.end() :]):
        return None
    for number in itertools.count(1):
        kept = path.with_name(f"{path.name}.before{number if number > 1 else ''}")
        if not kept.exists():
            shutil.copy(path, kept)
            return kept
        if kept.read_bytes() == text:
            return kept
    return None


def _document(root: Path, size: str, source: str | None) -> tuple[Path, dict[str, Any]]:
    """The file that has the size, and all settings."""
    file, study = _find(root, size)
    base = read(root / "params.yaml")
    if not isinstance(base, Mapping):
        raise SemtokError(f"{root / 'params.yaml'}: no settings; git checkout params.yaml")
    kept = {name: block for name, block in base.items() if name not in study.replaced}
    document = laid_over(laid_over(kept, study.all), study.sizes[size])
    return file, laid_over(document, {"data": {"source": source}}) if source else document


def _find(root: Path, size: str) -> tuple[Path, Study]:
    paths = [root / "study.yaml", *sorted(root.glob("study_*.yaml"))]
    studies = {path: parse(Study, read(path), str(path)) for path in paths}
    found = [path for path, study in studies.items() if size in study.sizes]
    if not found:
        known = ", ".join(each for study in studies.values() for each in study.sizes) or "none"
        raise SemtokError(f"{size}: no such size of a study; there are {known}")
    if len(found) > 1:
        raise SemtokError(f"{found[1]}: sizes.{size}: {found[0].name} has one too; rename it")
    return found[0], studies[found[0]]
