"""What of some sources lies in a data root: there, missing or damaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from semtok.data.download import catalogue
from semtok.data.download.catalogue import File
from semtok.data.download.fetch import by_hand, count_of, receipt_of, verify_plain
from semtok.data.files import hash_files
from semtok.errors import SemtokError
from semtok.events import Emit, ignore

State = Literal["there", "missing", "damaged"]


@dataclass(frozen=True)
class Found:
    """What was found of one file of a source.

    Attributes:
        what: in words: how many files of it, or what is wrong.
        remedy: what to do; empty where all is well.
    """

    source: str
    file: str
    state: State
    what: str
    remedy: str = ""


def check(root: Path, wanted: Sequence[str], emit: Emit = ignore) -> list[Found]:
    """Look at every file of some sources.

    What was fetched is held against the hashes in its receipt; what came there otherwise against
    its size and checksum where they are known, else against the number of files.

    Args:
        root: the data root.
        wanted: `SOURCE` or `SOURCE/PART` each.
        emit: told of the files that are hashed.

    Raises:
        SemtokError: there is no such source.
    """
    return [_check(root, *each, emit) for each in catalogue.chosen(wanted)]


def _check(root: Path, source: str, file: File, emit: Emit) -> Found:
    receipt = receipt_of(root, source, file)
    if receipt is not None:
        return _by_receipt(root, source, file, receipt.to_pylist(), emit)
    if file.archive:
        return _by_number(root, source, file)
    path = root / file.path
    if not path.is_file():
        return Found(source, file.name, "missing", file.path, _remedy(root, source, file))
    try:
        verify_plain(path, file)
    except SemtokError as error:
        what = str(error).removeprefix(f"{path}: ")
        remedy = f"remove it; {_remedy(root, source, file)}"
        return Found(source, file.name, "damaged", f"{file.path}: {what}", remedy)
    return Found(source, file.name, "there", file.path)


def _by_receipt(
    root: Path, source: str, file: File, receipt: Sequence[Mapping[str, Any]], emit: Emit
) -> Found:
    """Every file that was fetched, by its hash."""
    here = [row for row in receipt if (root / row["path"]).is_file()]
    hashed = hash_files([root / row["path"] for row in here], emit)
    pairs = zip(here, hashed, strict=True)
    damaged = [row["path"] for row, each in pairs if each != (row["bytes"], row["sha256"])]
    missing = sorted({row["path"] for row in receipt} - {row["path"] for row in here})
    faults: list[tuple[State, list[str]]] = [("damaged", damaged), ("missing", missing)]
    for state, paths in faults:
        if paths:
            what = f"{len(paths):,} of {_files(len(receipt))}, e.g. {paths[0]}"
            remedy = _remedy(root, source, file)
            if state == "damaged":  # fetching looks at sizes alone
                remedy = f"remove {'it' if len(paths) == 1 else 'them'}; {remedy}"
            return Found(source, file.name, state, what, remedy)
    return Found(source, file.name, "there", _files(len(receipt)))


def _by_number(root: Path, source: str, file: File) -> Found:
    """What an archive brings, where it was unpacked by hand."""
    for pattern, least in file.holds.items():
        count = count_of(root, pattern)
        if count < least:
            what = f"{count:,} of {_files(least)} {pattern}"
            return Found(source, file.name, "missing", what, _remedy(root, source, file))
    needed = [pattern for pattern, least in file.holds.items() if least]
    counts = (f"{_files(count_of(root, pattern))} {pattern}" for pattern in needed)
    return Found(source, file.name, "there", ", ".join(counts))


def _remedy(root: Path, source: str, file: File) -> str:
    """How to get a file."""
    if file.access == "browser":
        return by_hand(root, source, file)
    part = f"{source}/{file.part}" if file.part else source
    command = f"semtok data fetch {part} --root {root}"
    return f"{command}; {by_hand(root, source, file)}" if file.access == "token" else command


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"
