"""Partitions in shards: a rerun redoes only the shards whose fingerprint is missing or stale."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from semtok.errors import SemtokError
from semtok.events import Emit, ignore
from semtok.params import DataSettings, WorkersSettings
from semtok.remote import AnyPath
from semtok.tables import FINGERPRINT, REJECTED, read_metadata, read_table, write_table

#: Folder beside the shards: the same images once more, corrupted, in `KIND-SEVERITY`.
CORRUPTED = "corrupted"

#: Builds shards in any order: writes their files (with the fingerprint in the metadata), and yields
#: the name of each with its rejects.
Build = Callable[[Sequence[str]], Iterable[tuple[str, pa.Table]]]


@dataclass(frozen=True)
class Partition:
    """What every stage that works in shards is given.

    Attributes:
        root: the data root.
        images: schema `IMAGES`, the images of the split, ordered by id.
        data: settings of the data set.
        staging: empty folder to fill.
        published: the artifact as it stands, if it does.
        source: fingerprint of the stage's source.
        emit: told of progress.
        project: the project's folder, from which settings name files.
        workers: who makes the shards.
    """

    root: AnyPath
    images: pa.Table
    data: DataSettings
    staging: Path
    published: Path
    source: str
    emit: Emit = ignore
    project: Path = Path()
    workers: WorkersSettings = field(default_factory=WorkersSettings)

    def assign(self, suffix: str) -> dict[str, NDArray[np.int64]]:
        """The file name of every shard -> the positions of its images, ascending."""
        return assign(self.images["image_id"].to_pylist(), self.data.shards, suffix)


def rebuild(staging: Path, published: Path, wanted: Mapping[str, str], build: Build) -> int:
    """Fill a staging folder with shards, taking over those already published that are current.

    After any history of edits and kills the folder equals, byte for byte, one built from scratch.

    Args:
        staging: empty folder to fill.
        published: the artifact as it stands, if it does.
        wanted: file name, in a folder or not -> fingerprint of the shard's inputs, settings and
            source.
        build: called once with the names of the shards that are missing or stale, in order;
            yields with each the rows of `rejected.parquet` (schema `REJECTED`) that belong to it.

    Returns:
        The number of shards that were built.

    Raises:
        SemtokError: a shard in the folder is not the one that was wanted.
    """
    known = _published_rejects(published / "rejected.parquet")
    rejected, stale = {}, []
    for name, fingerprint in sorted(wanted.items()):
        if known is not None and read_metadata(published / name).get(FINGERPRINT) == fingerprint:
            _take_over(published / name, staging / name)
            rejected[name] = known.filter(pc.equal(known["shard"], name))
        else:
            stale.append(name)
    rejected |= build(stale)
    for name, fingerprint in sorted(wanted.items()):
        if read_metadata(staging / name).get(FINGERPRINT) != fingerprint:
            raise SemtokError(
                f"{published / name}: another run has written to its staging folder; nothing was "
                "published; run the stage again"
            )
    tables = [REJECTED.columns.empty_table(), *(rejected[name] for name in sorted(wanted))]
    rows = pa.concat_tables(tables, promote_options="default")
    order = [(name, "ascending") for name in REJECTED.columns.names]
    write_table(staging / "rejected.parquet", rows.sort_by(order), REJECTED)
    return len(stale)


def shard_of(image_id: int, shards: int) -> int:
    """The shard that an image belongs to: by its id alone, so that adding images moves none."""
    hashed = hashlib.blake2b(image_id.to_bytes(8, "little", signed=True), digest_size=8).digest()
    return int.from_bytes(hashed, "little") % shards


def assign(image_ids: Iterable[int], shards: int, suffix: str) -> dict[str, NDArray[np.int64]]:
    """The file name of every shard -> the positions of its images, ascending."""
    shard = np.array([shard_of(each, shards) for each in image_ids], np.int64)
    return {f"{number:03d}{suffix}": np.flatnonzero(shard == number) for number in range(shards)}


def _published_rejects(path: Path) -> pa.Table | None:
    try:
        return read_table(path, REJECTED)
    except SemtokError:
        return None


def _take_over(source: Path, target: Path) -> None:
    """Published files are only ever replaced, never written to, so a second name is safe."""
    target.parent.mkdir(exist_ok=True, parents=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
