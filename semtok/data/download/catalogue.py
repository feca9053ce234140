"""What a source is: the files of it, where each one lies, and who may have it."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import ModuleType
from typing import Literal

from semtok.data import sources
from semtok.errors import SemtokError

#: Whoever asks; whoever shows a token of the Hugging Face hub; people with a browser alone.
Access = Literal["open", "token", "browser"]


@dataclass(frozen=True)
class File:
    """One file of a source.

    Attributes:
        address: where it is fetched from; of access `browser` the page to open.
        path: where it lies, relative to the data root; of an archive the folder that it is
            unpacked into.
        archive: name of the archive (zip, tar, tar.gz, tgz); empty: the file is no archive.
        holds: what an archive brings: pattern, relative to the data root -> how many at least.
            It may bring other files in the top folders that are named here, and none elsewhere.
        strip: the folder in an archive that is left away.
        inner: zip archives within the archive, relative to the data root, unpacked in their folder.
        bytes: its size, where it is known.
        checksum: `sha256:HEX` or `md5:HEX`, where it is known.
        part: empty: it comes with the source; else whoever wants it says `SOURCE/PART`.
    """

    address: str
    path: str = ""
    archive: str = ""
    holds: Mapping[str, int] = field(default_factory=dict)
    strip: str = ""
    inner: tuple[str, ...] = ()
    bytes: int | None = None
    checksum: str = ""
    part: str = ""
    access: Access = "open"

    @property
    def name(self) -> str:
        """Of the file as it is fetched."""
        return self.archive or PurePosixPath(self.path).name


@dataclass(frozen=True)
class Source:
    """A data set, or the files of a benchmark, as its makers publish it.

    Attributes:
        home: the page on which they describe it.
        licence: in a few words.
    """

    home: str
    licence: str
    files: tuple[File, ...]


def names() -> list[str]:
    """All sources."""
    return sorted(each.name for each in pkgutil.iter_modules(sources.__path__))


def module(name: str) -> ModuleType:
    """The module of a source, by its name.

    Raises:
        SemtokError: there is none; says which there are.
    """
    if name not in names():
        raise SemtokError(f"{name}: no such source; there are {', '.join(names())}")
    return importlib.import_module(f"{sources.__name__}.{name}")


def find(name: str) -> Source:
    """A source by its name.

    Raises:
        SemtokError: there is none; says which there are.
    """
    found: Source = module(name).SOURCE
    return found


def chosen(wanted: Iterable[str]) -> list[tuple[str, File]]:
    """The files that are wanted, each with the name of its source, none twice.

    Args:
        wanted: `SOURCE`, for what comes with it, or `SOURCE/PART`.

    Raises:
        SemtokError: there is no such source or part; says which there are.
    """
    found: dict[tuple[str, str], tuple[str, File]] = {}
    for each in wanted:
        name, _, part = each.partition("/")
        files = find(name).files
        parts = sorted({file.part for file in files if file.part})
        if part and part not in parts:
            raise SemtokError(
                f"{each}: {name} has no such part; it has {', '.join(parts) or 'none'}"
            )
        found |= {(name, file.name): (name, file) for file in files if file.part == part}
    return list(found.values())
