"""The stage `images`: the data set's files, made where the format makes them, listed by hash."""

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pyarrow as pa

from semtok.data import class_folders, coco, documents
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.params import FETCHED, DataSettings, Params
from semtok.parsing import parse
from semtok.remote import AnyPath, locate, threads, within
from semtok.tables import TableSchema, write_table
from semtok.workspace import Workspace

FILES = TableSchema(
    "files",
    1,
    pa.schema(
        [
            ("path", pa.string()),  # relative to the data root, with /
            ("bytes", pa.int64()),
            ("sha256", pa.string()),
        ]
    ),
)

#: Formats that are there already, in a layout of their own; all others are made in COCO's.
_LAYOUTS = {"coco": coco, "class_folders": class_folders}

#: Files that one thread hashes between two progress events.
_BATCH = 64


def images(workspace: Workspace, params: Params, staging: Path, emit: Emit = ignore) -> None:
    """Make the data set, if its format does, and write `files.parquet`.

    The format `coco` is a root in COCO's official layout, `class_folders` one of a folder a class;
    both are listed where they lie and not copied. Any other is a module of semtok/data with a
    dataclass `Settings` and `write(root, settings, emit)`, which makes a COCO root.

    Args:
        staging: empty folder to fill.

    Raises:
        SemtokError: no such format, a setting is wrong, or the root lacks a file.
    """
    if maker := _maker(params.data):
        raw = params.data.settings.get(params.data.format, {})
        where = f"params.yaml: data.settings.{params.data.format}"
        settings = parse(maker.Settings, raw, where)
        maker.write(staging, settings, emit)
        source: AnyPath = staging
    else:
        source = root(workspace, params.data)
    _LAYOUTS.get(params.data.format, coco).check_layout(source)
    write_table(staging / "files.parquet", list_files(source, emit, params.data.format), FILES)


def root(workspace: Workspace, settings: DataSettings) -> AnyPath:
    """The data root: the artifact of `images` where the format makes it, else `data.source`.

    What is fetched lies in downloads/NAME of the project, where DVC and scratch runs both find it.
    """
    if _maker(settings):
        return workspace.input("images")
    if settings.source == FETCHED:
        return workspace.root / "downloads" / settings.name
    return locate(workspace.root, settings.source)


def is_made(settings: DataSettings) -> bool:
    """Whether the format makes its data, where others are there already or fetched."""
    return _maker(settings) is not None


def required(layout: str, there: Sequence[str]) -> Sequence[str]:
    """The folders of images that a data root of a format must have.

    Args:
        layout: name of the format.
        there: the folders that it has.
    """
    names: Sequence[str] = _LAYOUTS.get(layout, coco).required(there)
    return names


def list_files(root: AnyPath, emit: Emit = ignore, layout: str = "coco") -> pa.Table:
    """Hash every file that the line may read.

    Args:
        root: a data root.
        emit: told of progress.
        layout: the data's format; what makes its data makes a COCO root.

    Returns:
        Schema `FILES`, ordered by path.

    Raises:
        SemtokError: a name is not UTF-8.
    """
    paths = _LAYOUTS.get(layout, coco).list_files(root)
    names = [within(path, root).as_posix() for path in paths]
    for name in names:
        if not documents.is_utf8(name):
            raise SemtokError(f"{root}: {name!r}: the name is not UTF-8; rename it")
    hashed = hash_files(paths, emit)
    sizes, digests = ([each[place] for each in hashed] for place in (0, 1))
    return pa.table([names, sizes, digests], schema=FILES.columns).sort_by("path")


def hash_files(paths: Sequence[AnyPath], emit: Emit = ignore) -> list[tuple[int, str]]:
    """The size (bytes) and SHA-256 (hexadecimal) of each file."""
    batches = [paths[i : i + _BATCH] for i in range(0, len(paths), _BATCH)]
    found: list[tuple[int, str]] = []
    with ThreadPoolExecutor(threads(*paths[:1])) as pool:
        for hashed in pool.map(_hash, batches):
            emit(Progress("hash files", len(found), len(paths)))
            found += hashed
    emit(Progress("hash files", len(paths), len(paths)))
    return found


def _hash(paths: Sequence[AnyPath]) -> list[tuple[int, str]]:
    found = []
    for path in paths:
        if isinstance(path, Path):
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                found.append((stream.tell(), digest))
        else:
            content = path.read_bytes()
            found.append((len(content), hashlib.sha256(content).hexdigest()))
    return found


def _maker(settings: DataSettings) -> ModuleType | None:
    """The module that makes the data, None where it is there already."""
    if settings.format in _LAYOUTS:
        return None
    name = f"semtok.data.{settings.format}"
    if settings.format.isidentifier() and importlib.util.find_spec(name):
        module = importlib.import_module(name)
        if hasattr(module, "write"):
            return module
    raise SemtokError(
        f"params.yaml: data.format: {settings.format!r} is neither coco nor a module "
        "of semtok/data that writes data; use coco, class_folders or scenes, or add it"
    )
