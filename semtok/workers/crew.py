"""What several workers are to whoever hands out shards, and what a worker reports."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from semtok.errors import told


@dataclass(frozen=True)
class Shard:
    """A shard that is to be made.

    Attributes:
        name: of its file, relative to the artifact.
        images: schema `IMAGES`, its own.
        fingerprint: of its inputs, settings and source, for the file's metadata.
    """

    name: str
    images: pa.Table
    fingerprint: str


#: Writes a shard's file, whatever is there already; is told a number of images each time that so
#: many are done; returns the rows of `rejected.parquet` that belong to the shard.
Make = Callable[[Shard, Path, Callable[[int], None]], pa.Table]

#: Reads once what making shards needs, say a model.
Open = Callable[[], Make]


@dataclass(frozen=True)
class Opened:
    """The worker is ready for its first shard."""


@dataclass(frozen=True)
class Made:
    """The shard's file is in the staging folder."""

    rejected: pa.Table


@dataclass(frozen=True)
class Failed:
    """It would fail again.

    Attributes:
        reason: in one line.
    """

    reason: str

    @classmethod
    def by(cls, error: Exception) -> "Failed":
        """Tell an error; the traceback of a bug goes to standard error."""
        if line := told(error):
            return cls(line)
        traceback.print_exception(error)
        return cls(" ".join(f"{type(error).__name__}: {error}".split()))


@dataclass(frozen=True)
class Lost:
    """The worker ended, or its machine did; it has to be replaced.

    Attributes:
        how: a signal, an exit code, or what the cluster calls it.
        memory: whether want of memory is the likely reason.
    """

    how: str
    memory: bool = False


Report = Opened | Made | Failed | Lost


class Crew(Protocol):
    """Workers by their numbers; each reports once when it is ready, and once a shard."""

    def wait(self) -> tuple[int, Report]:
        """The next report, and whose it is."""

    def give(self, worker: int, shard: Shard) -> None:
        """Hand a shard to a worker that has none."""

    def hire(self) -> None:
        """Start one more worker."""

    def close(self) -> None:
        """End all workers, whatever they are at."""
