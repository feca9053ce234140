"""Archives, unpacked with distrust: nothing outside the folder, no links, no more than allowed."""

import errno
import gzip
import hashlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from rich.filesize import decimal

from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore

#: How much may come out of an archive: so many times its own size, or so many bytes if more.
_TIMES, _LEAST = 20, 1 << 28
_CHUNK = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    ValueError,
)


class Unpacked(NamedTuple):
    """A file that came out of an archive."""

    path: str  # relative to the folder, with /
    bytes: int
    sha256: str


def unpack(
    archive: Path, folder: Path, strip: str = "", limit: int | None = None, emit: Emit = ignore
) -> list[Unpacked]:
    """Write all files of an archive below a folder.

    Args:
        archive: zip, or tar, compressed or not.
        folder: empty or missing; where this fails, its content is to be thrown away.
        strip: a folder in the archive that is left away.
        limit: bytes that may come out; by default 20 times the archive's own, or 256 MiB.
        emit: told of the bytes read.

    Returns:
        The files, in the archive's order.

    Raises:
        SemtokError: the archive is damaged or none at all, has a member that would lie outside the
            folder, is a link or a device, or comes twice, or more comes out than is allowed.
    """
    size = archive.stat().st_size
    left = max(_TIMES * size, _LEAST) if limit is None else limit
    found: dict[str, Unpacked] = {}
    try:
        for member in _members(archive):
            name = _inside(archive, member.name, strip)
            if name is None:
                continue
            if name in found:
                raise SemtokError(f"{archive}: {member.name}: comes twice")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            digest, done = hashlib.sha256(), 0
            with member.stream, target.open("xb") as stream:
                while chunk := member.stream.read(_CHUNK):
                    done += len(chunk)
                    if done > left:
                        raise SemtokError(
                            f"{archive}: {decimal(size)} that unpack to more than is allowed"
                        )
                    digest.update(chunk)
                    stream.write(chunk)
            left -= done
            found[name] = Unpacked(name, done, digest.hexdigest())
            emit(Progress(f"unpack {archive.name}", member.read, size, "bytes"))
    except _DAMAGED as error:
        raise SemtokError(f"{archive}: a damaged archive ({error})") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise SemtokError(f"{archive}: {member.name}: a file and a folder of one name") from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # as of seeking to where a damaged head says
            raise SemtokError(f"{archive}: a damaged archive ({error})") from None
        if error.errno == errno.ENAMETOOLONG:
            raise SemtokError(f"{archive}: {member.name}: too long a name for this disk") from None
        raise
    if not found:
        raise SemtokError(f"{archive}: holds no file")
    emit(Progress(f"unpack {archive.name}", size, size, "bytes"))
    return list(found.values())


class _Member(NamedTuple):
    """A plain file in an archive."""

    name: str
    stream: IO[bytes]
    read: int  # bytes of the archive up to it


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        yield from _of_zip(archive)
    elif tarfile.is_tarfile(archive):
        yield from _of_tar(archive)
    else:
        raise SemtokError(f"{archive}: neither zip nor tar")


def _of_zip(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise SemtokError(f"{archive}: {info.filename}: no plain file")
            if info.flag_bits & 1:
                raise SemtokError(f"{archive}: {info.filename}: encrypted")
            if not info.is_dir():
                yield _Member(info.filename, opened.open(info), info.header_offset)


def _of_tar(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as raw, tarfile.open(fileobj=raw) as opened:
        for info in opened:
            if not (info.isreg() or info.isdir()):
                raise SemtokError(f"{archive}: {info.name}: no plain file")
            stream = opened.extractfile(info)
            if stream is not None:
                yield _Member(info.name, stream, raw.tell())


def _inside(archive: Path, name: str, strip: str) -> str | None:
    """Where a member goes, relative to the folder; None: it is left out."""
    path = PurePosixPath(name)
    windows = "\\" in name or ":" in name
    if path.is_absolute() or windows or ".." in path.parts or not path.parts:
        raise SemtokError(f"{archive}: {name!r}: lies outside the folder")
    if path.parts[0] == "__MACOSX":  # what a Mac adds of its own
        return None
    if strip and path.is_relative_to(strip):
        path = path.relative_to(strip)
    return path.as_posix()
