"""Files at an address of fsspec, such as `s3://bucket/prefix`: data roots that are no folder.

The only file that knows of fsspec, which is imported where an address is met: what lies on this
machine stays a `pathlib.Path`.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from semtok.errors import SemtokError, installing

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

#: Reads that wait for an answer at the same time. They cost no core.
_WAITING = 32

_T = TypeVar("_T")


def locate(folder: Path, source: str) -> "AnyPath":
    """Where something lies.

    Args:
        folder: that a relative path is relative to.
        source: a path, or an address with `://` in it, whose storage and credentials are those
            that fsspec finds: in its own configuration and the environment (`AWS_*`).

    Raises:
        SemtokError: no file system of that name is known, or its package is not installed; or the
            address is none that a root may have.
    """
    if not is_address(source):
        return folder / source
    if fault := refusal(source):
        raise SemtokError(f"data.source: {fault}")
    import fsspec

    try:
        system, place = fsspec.url_to_fs(source)
    except ImportError as error:
        raise SemtokError(
            f"{source}: needs a package that is not installed ({_line(error)}); for s3:// "
            f"{installing('line,s3')}, here and on every machine that reads it"
        ) from None
    except Exception as error:  # each file system has its own
        raise SemtokError(f"{source}: no such file system ({_line(error)}); correct it") from None
    return RemotePath(system, place.rstrip("/"))


def is_address(source: str) -> bool:
    """Whether a data root is no path of this machine's."""
    return "://" in source


def refusal(source: str) -> str | None:
    """What keeps an address from being a root, whatever is there, in words.

    Credentials would stand in every provenance. HTTP has no listing, and what fsspec takes for one,
    the links of a page, has no folders, so that a root would be one without images.
    """
    kind, _, place = source.partition("://")
    user, at, _ = place.partition("/")[0].rpartition("@")
    if (at and ":" in user) or "?" in place:
        return (
            f"the {kind}:// address holds credentials or a query; leave them out: the environment "
            "has them (docs/scale.md)"
        )
    if kind.rpartition("::")[2] in ("http", "https"):
        return (
            f"{source}: {kind}:// cannot list its files; copy the root to a folder or a bucket "
            "(docs/scale.md), or fetch it (docs/data.md)"
        )
    return None


def threads(*paths: "AnyPath") -> int:
    """How many files to read at a time: as there are cores, or more where answers take long."""
    cores = os.cpu_count() or 1
    return max(cores, _WAITING) if any(isinstance(each, RemotePath) for each in paths) else cores


def within(path: "AnyPath", root: "AnyPath") -> PurePath:
    """The path of what lies below a root, from there."""
    if isinstance(path, RemotePath) and isinstance(root, RemotePath):
        return PurePosixPath(path.place).relative_to(root.place)
    assert isinstance(path, Path) and isinstance(root, Path), "both lie in the same place"
    return path.relative_to(root)


def readable(path: "AnyPath") -> "Path | BytesIO":
    """What libraries open that know files of this machine alone."""
    return path if isinstance(path, Path) else _Content(path)


class UnreachableError(SemtokError):
    """A storage that gives no answer, or refuses: it says nothing of what it holds."""


@dataclass(frozen=True)
class RemotePath:
    """A file or folder at an address, read as `pathlib.Path` reads those of this machine.

    What is not there is a `FileNotFoundError`, as of a `Path`; whatever else goes wrong is an
    `UnreachableError`, which nobody takes for a damaged file.

    Attributes:
        system: where it is; it is pickled by its address alone, and settings and credentials are
            those that are found where it is opened again.
        place: there, as its listings have it, without a `/` at the end.
    """

    system: "AbstractFileSystem"
    place: str

    def __str__(self) -> str:
        """Its address."""
        return str(self.system.unstrip_protocol(self.place))

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process is sent: no credentials."""
        return locate, (Path(), str(self))

    def __truediv__(self, name: str) -> "RemotePath":
        """What lies below it."""
        return RemotePath(self.system, f"{self.place}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.place.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The end of its name, with the dot."""
        return PurePosixPath(self.place).suffix

    def read_bytes(self) -> bytes:
        """All of it, by one request."""
        return bytes(self._ask(lambda: self.system.cat_file(self.place)))

    def read_text(self, encoding: str) -> str:
        """All of it."""
        return self.read_bytes().decode(encoding)

    def exists(self) -> bool:
        """Whether there is anything."""
        return self._kind() is not None

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether anything lies below it."""
        return self._kind() == "directory"

    def iterdir(self) -> "Iterator[RemotePath]":
        """What lies in it."""
        return (self / name for name, _ in self._entries())

    def glob(self, pattern: str) -> "Iterator[RemotePath]":
        """What lies below it and has a name, parts with `*` and between `/`.

        fsspec's own passes over folders that it cannot list.
        """
        first, _, rest = pattern.partition("/")
        if "*" not in first:
            found = [self / first] if rest or (self / first).exists() else []
        else:
            entries = self._entries() if self.is_dir() else []
            found = [
                self / name
                for name, kind in entries
                if fnmatchcase(name, first) and (not rest or kind == "directory")
            ]
        for each in found:
            yield from each.glob(rest) if rest else [each]

    def walk(self) -> "Iterator[tuple[RemotePath, list[str], list[str]]]":
        """It and each folder below, and the names of folders (which may be taken out) and files.

        fsspec's own passes over folders that it cannot list.
        """
        folders, names = list[str](), list[str]()
        for name, kind in self._entries():
            (folders if kind == "directory" else names).append(name)
        yield self, folders, names
        for name in folders:
            yield from (self / name).walk()

    def _entries(self) -> list[tuple[str, str]]:
        """Name and kind of what lies in it; a bucket may list the folder itself, too."""
        listed = self._ask(lambda: self.system.ls(self.place, detail=True))
        found = ((str(info["name"]).rstrip("/"), str(info["type"])) for info in listed)
        return [(place.rpartition("/")[2], kind) for place, kind in found if place != self.place]

    def _kind(self) -> str | None:
        try:
            info: dict[str, Any] = self._ask(lambda: self.system.info(self.place))
        except FileNotFoundError:
            return None
        return str(info["type"])

    def _ask(self, request: Callable[[], _T]) -> _T:
        try:
            return request()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self)) from None
        except Exception as error:  # each file system has its own
            raise UnreachableError(
                f"{self}: no answer, or none but a refusal ({_line(error)}); see to its address, "
                "the network and the credentials, and run it again"
            ) from None


#: A path of this machine's, or an address.
AnyPath = Path | RemotePath


class _Content(BytesIO):
    """The bytes of a file, which errors call by its address."""

    def __init__(self, path: RemotePath) -> None:
        super().__init__(path.read_bytes())
        self._address = str(path)

    def __repr__(self) -> str:
        return repr(self._address)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
