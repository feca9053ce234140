"""Sources -> a data root: what is missing is fetched, unpacked beside it, and moved in whole.

ROOT/.fetched/SOURCE/ARCHIVE           an archive that waits to be unpacked (or put there by hand)
ROOT/.fetched/SOURCE/ARCHIVE.partial   what has come of it so far
ROOT/.fetched/SOURCE/ARCHIVE.unpacked  what has come out of it so far
ROOT/.fetched/SOURCE/NAME.parquet      the receipt: what it brought, by hash; written last
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pyarrow as pa
from filelock import FileLock, Timeout
from urllib3.util import Retry

from semtok.data.download import catalogue
from semtok.data.download.catalogue import File
from semtok.data.download.http import PATIENCE, Wanted, download, verify
from semtok.data.download.unpack import Unpacked, unpack
from semtok.data.files import FILES, hash_files
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.tables import read_table, write_table

#: Environment variable with the user's token of the Hugging Face hub, as its own tools have it.
TOKEN = "HF_TOKEN"

_STATE = ".fetched"

#: How whole files begin and end; of lines of JSON each is an object.
_WHOLE = {".json": ((b"{", b"}"), (b"[", b"]")), ".jsonl": ((b"{", b"}"),)}


def fetch(
    root: Path,
    wanted: Sequence[str],
    mirror: str = "",
    emit: Emit = ignore,
    patience: Retry = PATIENCE,
) -> None:
    """Bring into a data root what is not there yet; what is there costs no request.

    Args:
        root: of the data; made where it is missing.
        wanted: `SOURCE` or `SOURCE/PART` each.
        mirror: address that has the files below it (`mirrored`); empty: their own addresses.
        emit: told of bytes.
        patience: as of `download`.

    Raises:
        SemtokError: there is no such source; a file cannot be fetched, or is another one than it
            should be; only people can get it, and where it is to be put. Nothing half is left
            where data are read.
    """
    files = catalogue.chosen(wanted)
    with _alone(root):
        for source, file in files:
            if not is_there(root, source, file):
                _fetch(root, source, file, mirror, emit, patience)


def is_there(root: Path, source: str, file: File) -> bool:
    """Whether a file has been fetched, or lies there whole by somebody else's doing."""
    receipt = receipt_of(root, source, file)
    if receipt is not None:
        paths, sizes = (receipt[name].to_pylist() for name in ("path", "bytes"))
        return all(_size(root / path) == size for path, size in zip(paths, sizes, strict=True))
    if file.archive:
        return all(count_of(root, each) >= least for each, least in file.holds.items())
    path = root / file.path
    if not path.is_file():
        return False
    try:
        verify_plain(path, file)
    except SemtokError as error:
        raise SemtokError(f"{error}; remove it and fetch {source} again") from None
    return True


def receipt_of(root: Path, source: str, file: File) -> pa.Table | None:
    """What a file brought when it was fetched (schema `FILES`); None: it was not."""
    path = _place(root, source) / f"{file.name}.parquet"
    return read_table(path, FILES) if path.exists() else None


def count_of(root: Path, pattern: str) -> int:
    """How many files below a root a pattern fits."""
    folder, _, last = pattern.rpartition("/")
    places = root.glob(folder) if folder else [root]
    return sum(1 for place in places if place.is_dir() for _ in place.glob(last))


def verify_plain(path: Path, file: File) -> None:
    """Hold a file that is no archive against what is known of it.

    Raises:
        SemtokError: it has another size or checksum, or is to be JSON and is not.
    """
    verify(path, file.bytes, file.checksum)
    if path.suffix in _WHOLE and not file.checksum:
        with path.open("rb") as stream:
            start = stream.read(64).lstrip()[:1]
            stream.seek(max(0, path.stat().st_size - 64))
            end = stream.read().rstrip()[-1:]
        if (start, end) not in _WHOLE[path.suffix]:
            raise SemtokError(f"{path}: no complete JSON")


def mirrored(mirror: str, file: File) -> str:
    """Where a mirror has a file: HOST/PATH, and where queries tell files apart HOST/PATH/NAME.

    What a query names is for its host to know; a mirror has folders and files.
    """
    found = urlsplit(file.address)
    name = f"/{file.name}" if found.query else ""
    return f"{mirror.rstrip('/')}/{found.netloc}{found.path}{name}"


def by_hand(root: Path, source: str, file: File) -> str:
    """How people get a file that no program gets, and where they put it."""
    place = _place(root, source) / file.name if file.archive else root / file.path
    found = catalogue.find(source)
    if file.access == "token":
        return (
            f"accept the terms at {found.home}, make a token at "
            f"https://huggingface.co/settings/tokens, export {TOKEN}=hf_...; or put it at {place}"
        )
    page = file.address if file.access == "browser" else found.home
    return f"get it in a browser from {page} and put it at {place}"


def _fetch(root: Path, source: str, file: File, mirror: str, emit: Emit, patience: Retry) -> None:
    target = _place(root, source) / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    by_people = by_hand(root, source, file)
    waiting = bool(file.archive) and target.exists()
    if not waiting:
        wanted = _wanted(file, mirror, f"{source}: {file.name}: {by_people}")
        try:
            download(wanted, target, emit, patience)
        except SemtokError as error:
            raise SemtokError(f"{error}; or {by_people}") from None
    try:
        rows = _unpack_into(root, target, file, emit) if file.archive else _put(root, target, file)
    except _InTheWayError:
        raise
    except SemtokError as error:
        if waiting or isinstance(error, _OtherContentError):  # it may be right
            raise SemtokError(f"{error}: remove it and fetch it again, or {by_people}") from None
        target.unlink()
        raise SemtokError(f"{error}: it was removed; fetch it again, or {by_people}") from None
    columns = [list(each) for each in zip(*sorted(rows), strict=True)]
    receipt = target.with_name(f"{file.name}.parquet")
    partial = receipt.with_suffix(".new")
    write_table(partial, pa.table(columns, schema=FILES.columns), FILES)
    partial.replace(receipt)
    target.unlink(missing_ok=True)
    emit(Message(f"{source}: {file.name}: {len(rows):,} file{'' if len(rows) == 1 else 's'}"))


class _OtherContentError(SemtokError):
    """A sound archive without what the source says that it brings: either may be wrong."""


class _InTheWayError(SemtokError):
    """The archive is right, and the root has a file where it brings a folder, or the reverse."""


def _put(root: Path, target: Path, file: File) -> list[Unpacked]:
    """Let a file that is no archive take its place."""
    verify_plain(target, file)
    ((size, digest),) = hash_files([target])
    (root / file.path).parent.mkdir(parents=True, exist_ok=True)
    target.replace(root / file.path)
    return [Unpacked(file.path, size, digest)]


def _unpack_into(root: Path, archive: Path, file: File, emit: Emit) -> list[Unpacked]:
    """Unpack an archive beside itself, laid out as the data root, and move all of it in."""
    verify(archive, file.bytes, file.checksum)
    folder = archive.with_name(f"{archive.name}.unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        rows = _below(file.path, unpack(archive, folder / file.path, file.strip, emit=emit))
        for each in file.inner:
            inner = folder / each
            if not inner.is_file():
                raise _OtherContentError(f"{archive}: brings no {each}")
            into = PurePosixPath(each).parent.as_posix()
            rows += _below(into, unpack(inner, inner.parent, emit=emit))
            inner.unlink()
        for pattern, least in file.holds.items():
            if (count := count_of(folder, pattern)) < least:
                raise _OtherContentError(f"{archive}: brings {count:,} of {least:,} {pattern}")
        rows = [row for row in rows if row.path not in file.inner]
        _check_places(root, archive, file, rows)
        _move_in(folder, root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def _check_places(root: Path, archive: Path, file: File, rows: Iterable[Unpacked]) -> None:
    """Refuse what lies elsewhere than the source says, and what is another file's by its receipt.

    Raises:
        SemtokError: names the member.
    """
    tops = {PurePosixPath(pattern).parts[0] for pattern in file.holds}
    own = archive.with_name(f"{file.name}.parquet")
    theirs = {
        path: (receipt, digest)
        for receipt in sorted((root / _STATE).glob("*/*.parquet"))
        if receipt != own
        for path, digest in _hashes(receipt)
    }
    for row in rows:
        if PurePosixPath(row.path).parts[0] not in tops:
            places = ", ".join(sorted(tops))
            raise _OtherContentError(f"{archive}: {row.path}: lies in none of {places}")
        receipt, digest = theirs.get(row.path, (own, row.sha256))
        if digest != row.sha256:
            raise _OtherContentError(f"{archive}: {row.path}: is another file than in {receipt}")
        place = root / row.path
        above = [each for each in place.parents if each.is_relative_to(root)]
        for wrong in [*(each for each in above if each.is_file()), *([place] * place.is_dir())]:
            raise _InTheWayError(f"{wrong}: in the way of what {archive} brings; move it away")


def _wanted(file: File, mirror: str, by_people: str) -> Wanted:
    """What to ask for, of whom."""
    address, token = file.address, ""
    if file.access == "browser":
        raise SemtokError(by_people)
    if mirror:
        address = mirrored(mirror, file)
    elif file.access == "token":  # a mirror is somebody else's, and has no use for it
        token = os.environ.get(TOKEN, "").strip()  # files that hold one end in a newline
        if not token:
            raise SemtokError(by_people)
        if not re.fullmatch(r"[!-~]+", token):
            raise SemtokError(f"{TOKEN}: holds characters that no token has; {by_people}")
    return Wanted(address, file.bytes, file.checksum, token)


def _below(place: str, rows: Iterable[Unpacked]) -> list[Unpacked]:
    return [row._replace(path=(PurePosixPath(place) / row.path).as_posix()) for row in rows]


def _hashes(receipt: Path) -> Iterable[tuple[str, str]]:
    """The paths that a receipt lists, each with its SHA-256."""
    table = read_table(receipt, FILES)
    return zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True)


def _move_in(source: Path, target: Path) -> None:
    """Rename all that lies in a folder into another; what is new there comes in one step."""
    for each in sorted(source.iterdir()):
        if each.is_dir() and (target / each.name).is_dir():
            _move_in(each, target / each.name)
        else:
            each.replace(target / each.name)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    (root / _STATE).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / _STATE / "lock", timeout=0):
            yield
    except Timeout:
        raise SemtokError(f"{root}: another process is fetching; wait for it to end") from None


def _place(root: Path, source: str) -> Path:
    """What is needed to fetch a source, and its receipts."""
    return root / _STATE / source


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
