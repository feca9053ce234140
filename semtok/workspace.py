"""Where artifacts live, how they are published, and what identifies them."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from semtok.errors import SemtokError

VERDICT = "verdict.json"

_EXTRACTION = ("masks", "scene_graphs")
_SCORES = {"outside_scores": "scores", "remote_scores": "scores"}


@dataclass(frozen=True)
class Workspace:
    """The folders of one data set's artifacts.

    Attributes:
        root: the project's folder, with `params.yaml` and `dvc.yaml`.
        data: name of the data set.
        scratch: where artifacts are written instead of `root`, when a stage runs by hand; what
            is missing there is read from `root`.
    """

    root: Path
    data: str
    scratch: Path | None = None

    def output(self, stage: str, partition: str | None = None) -> Path:
        """Where a stage's artifact is written."""
        return (self.scratch or self.root) / self.relative(stage, partition)

    def input(self, stage: str, partition: str | None = None) -> Path:
        """Where a stage's artifact is read from.

        Raises:
            SemtokError: it has not been made yet.
        """
        path = self.find(stage, partition)
        if path is None:
            name = stage_key(stage, partition)
            raise SemtokError(f"{self.relative(stage, partition)}: missing; run {name} first")
        return path

    def find(self, stage: str, partition: str | None = None) -> Path | None:
        """Where a stage's artifact is read from, or None where there is none."""
        for base in (self.scratch, self.root):
            if base and (path := base / self.relative(stage, partition)).exists():
                return path
        return None

    def relative(self, stage: str, partition: str | None = None) -> Path:
        """A stage's artifact, relative to the project: what `dvc.yaml` names as its output."""
        base = Path("artifacts") / self.data
        if stage in _EXTRACTION:
            # Together, so that one dependency of `dvc.yaml` covers both.
            return base / "extraction" / str(partition) / stage
        base /= _SCORES.get(stage, stage)  # together as well, beside one another
        return base / partition if partition else base

    def state(self, *parts: str) -> Path:
        """A folder for what is no artifact (resume states, locks), outside DVC's reach."""
        return (self.scratch or self.root) / ".semtok" / Path(*parts)


def stage_key(stage: str, partition: str | None) -> str:
    """`STAGE@PARTITION`: the same string in the command line, DVC and Dagster."""
    return f"{stage}@{partition}" if partition else stage


@contextmanager
def publish(target: Path, state: Path) -> Iterator[Path]:
    """Give a staging folder; on success let it replace `target` whole.

    Whenever the process dies, `target` is the old artifact or the new one, never a mixture. A kill
    between the two renames leaves the old one beside it, and the next start puts it back.

    Args:
        target: the artifact's folder.
        state: a folder on the same file system for staging folders and locks.

    Raises:
        SemtokError: another process is at work on the same artifact, or the disk is full.
    """
    from filelock import FileLock, Timeout

    name = hashlib.blake2b(str(target.resolve()).encode(), digest_size=8).hexdigest()
    staging, old = state / f"{name}.new", state / f"{name}.old"
    state.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(state / f"{name}.lock", timeout=0):
            recover(target, old)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            try:
                yield staging
                _replace(target, staging, old)
            finally:
                recover(target, old)
                shutil.rmtree(staging, ignore_errors=True)
    except Timeout:
        raise SemtokError(f"{target}: another run is at work on it; wait for it to end") from None
    except OSError as error:
        where = error.filename or target
        raise SemtokError(f"{where}: {error.strerror or error}; nothing was published") from error


def recover(target: Path, old: Path) -> None:
    """Undo what a kill between the two renames of `publish` left."""
    if old.exists():
        if target.exists():
            shutil.rmtree(old)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            old.rename(target)


def _replace(target: Path, staging: Path, old: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(old)
    staging.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def digest(path: Path) -> str:
    """Identify an artifact by the names and bytes of its files, its verdict aside.

    Args:
        path: a file or a folder.

    Returns:
        32 hexadecimal digits (BLAKE2b of 16 bytes).

    Raises:
        SemtokError: there is nothing at `path`.
    """
    if not path.exists():
        raise SemtokError(f"{path}: no such file or folder")
    total = hashlib.blake2b(digest_size=16)
    for name, file in sorted(_files(path)):
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123
            content = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16))
        total.update(f"{name} {content.hexdigest()}\n".encode())
    return total.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, str]]:
    """Relative and full name of every file that counts; plain strings, as there may be many."""
    if path.is_file():
        yield ".", str(path)
        return
    top = str(path)
    for folder, _, names in os.walk(top):
        for name in names:
            if name != VERDICT:
                full = os.path.join(folder, name)  # noqa: PTH118
                yield full[len(top) + 1 :].replace(os.sep, "/"), full


def fingerprint(*parts: str) -> str:
    """Identify a list of strings (hashes, settings as JSON): order and limits count."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
