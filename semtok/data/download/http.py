"""One file over HTTP: it goes on after a break, is tried again, checked, and published whole."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from rich.filesize import decimal
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from semtok.data.download.session import Session, Token
from semtok.errors import SemtokError
from semtok.events import Emit, Message, Progress

#: How often a file is tried again without a byte more than before, and how long between (seconds).
PATIENCE = Retry(total=8, backoff_factor=1.0, backoff_max=120, retry_after_max=600)

_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_TIMEOUT = (30, 60)  # seconds to connect, and between two bytes
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """What is asked for, and what is known of it.

    Attributes:
        address: its URL.
        bytes: its size, None where nobody says.
        checksum: `sha256:HEX` or `md5:HEX`, empty where nobody says.
        token: to show, printable ASCII; empty where nobody asks. A redirection to
            another host does not get it.
    """

    address: str
    bytes: int | None
    checksum: str
    token: str = ""


def download(wanted: Wanted, target: Path, emit: Emit, patience: Retry = PATIENCE) -> None:
    """Fetch a file, from where an earlier call was broken off.

    Proxies are those of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY). What has come so far
    lies beside the target, under its name and `.partial`.

    Args:
        target: it is not there, or whole.
        emit: told of the bytes.
        patience: used up by tries that bring nothing new alone.

    Raises:
        SemtokError: the address does not answer, sends an error page, or what it sends has another
            size or checksum. What was broken off waits for the next call; what is wrong is removed.
    """
    partial = _Partial(target, wanted)
    best, left = partial.size, patience
    with Session() as session:
        while not partial.is_whole:
            response = None
            try:
                response = _ask(session, wanted, partial)
                _receive(response, partial, emit, target.name)
                if not partial.is_whole:
                    raise _AgainError("broken off", response)
            except (requests.RequestException, HTTPError, _AgainError) as error:
                if isinstance(error, ValueError):  # an address or a proxy that is none
                    raise SemtokError(f"{wanted.address}: {error}") from None
                if partial.size > best:
                    best, left = partial.size, patience
                reason = _reason(error)
                try:
                    left = left.increment("GET", wanted.address, error=Exception(reason))
                except MaxRetryError:
                    raise SemtokError(
                        f"{wanted.address}: {reason}; {decimal(partial.size)} of it wait in "
                        f"{partial.path}: run again to go on, or set download.mirror in params.yaml"
                    ) from None
                emit(Message(f"{target.name}: {reason}, at {decimal(partial.size)}; trying again"))
                left.sleep(error.response if isinstance(error, _AgainError) else None)
            finally:
                if response is not None:
                    response.close()
    partial.publish(target)


class _AgainError(Exception):
    """What came may be better another time."""

    def __init__(self, reason: str, response: requests.Response) -> None:
        super().__init__(reason)
        self.response = response.raw


@dataclass(frozen=True)
class _Told:
    """What the server said of the file when it began to send it."""

    address: str
    total: int | None
    tag: str = ""  # ETag and Last-Modified, where it says them: the file is still that one
    modified: str = ""

    @property
    def validator(self) -> str:
        """What If-Range may hold, which no weak tag is."""
        return self.tag if self.tag.startswith('"') else self.modified

    def is_same(self, other: "_Told") -> bool:
        """Whether something tells that two answers are of one file, and nothing that they are not.

        A tag's weakness is no difference: proxies add it.
        """
        pairs = [
            (self.tag.removeprefix("W/"), other.tag.removeprefix("W/")),
            (self.modified, other.modified),
        ]
        both = [mine == its for mine, its in pairs if mine and its]
        return bool(both) and all(both)


class _Partial:
    """What has come so far."""

    def __init__(self, target: Path, wanted: Wanted) -> None:
        self.path = target.with_name(f"{target.name}.partial")
        self.wanted = wanted
        self._notes = target.with_name(f"{target.name}.partial.json")
        try:
            self.told = _Told(**json.loads(self._notes.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            self.told = _Told("", None)
        elsewhere = self.told.address != wanted.address
        if elsewhere and not wanted.checksum:
            self.discard()  # two hosts may have two files, and nothing would tell

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def total(self) -> int | None:
        return self.told.total if self.wanted.bytes is None else self.wanted.bytes

    @property
    def is_whole(self) -> bool:
        return self.path.exists() and self.size == self.total

    def headers(self) -> dict[str, str]:
        """To ask for what is missing, if the file is still the same one."""
        if self.total is not None and self.size > self.total:
            self.discard()
        if not (self.wanted.checksum or self.told.tag or self.told.modified):
            self.discard()  # the rest may be of another file, and nothing would tell
        if not self.size:
            return {}
        known = self.told.validator if self.told.address == self.wanted.address else ""
        return {"Range": f"bytes={self.size}-", **({"If-Range": known} if known else {})}

    def begin(self, told: _Told) -> None:
        """Note what the server says before its bytes come."""
        self._notes.write_text(json.dumps(asdict(told)), encoding="utf-8")
        self.told = told

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.told = _Told("", None)

    def publish(self, target: Path) -> None:
        """Let the whole file take its name, if it is the one that is wanted."""
        try:
            verify(self.path, self.wanted.bytes, self.wanted.checksum)
        except SemtokError as error:
            self.discard()
            raise SemtokError(
                f"{self.wanted.address}: {str(error).removeprefix(f'{self.path}: ')}: what came "
                "was removed: run again, or set download.mirror in params.yaml"
            ) from None
        self.path.replace(target)
        self._notes.unlink(missing_ok=True)


def verify(path: Path, size: int | None, checksum: str) -> None:
    """Hold a file against what is known of it.

    Args:
        size: in bytes; None where nobody says.
        checksum: `sha256:HEX` or `md5:HEX`; empty where nobody says.

    Raises:
        SemtokError: it has another size or checksum.
    """
    found = path.stat().st_size
    if size is not None and found != size:
        raise SemtokError(f"{path}: {found:,} bytes, expected {size:,}")
    algorithm, _, digest = checksum.partition(":")
    if algorithm:
        with path.open("rb") as stream:
            computed = hashlib.file_digest(stream, algorithm).hexdigest()
        if computed != digest:
            raise SemtokError(f"{path}: {algorithm} {computed}, expected {digest}")


def _ask(session: requests.Session, wanted: Wanted, partial: _Partial) -> requests.Response:
    """Ask for the file or for what is missing of it, and look at the answer's head."""
    headers = {
        "User-Agent": "semtok",
        "Accept-Encoding": "identity",  # sizes and ranges are of the file itself
        **partial.headers(),
    }
    response = session.get(
        wanted.address,
        headers=headers,
        auth=Token(wanted.token),
        stream=True,
        timeout=_TIMEOUT,
    )
    status = f"HTTP {response.status_code} {response.reason or ''}".strip()
    try:
        if response.status_code in _AGAIN:
            raise _AgainError(status, response)
        if response.status_code == 416:  # there is no more of it, so what is here is not of it
            partial.discard()
            raise _AgainError(status, response)
        if response.status_code in (401, 403):
            raise SemtokError(f"{wanted.address}: {status}: not for everybody")
        if response.status_code not in (200, 206):
            raise SemtokError(f"{wanted.address}: {status}; set download.mirror in params.yaml")
        if "html" in response.headers.get("Content-Type", ""):
            raise SemtokError(f"{wanted.address}: sends a page for people and not the file")
        coding = response.headers.get("Content-Encoding", "identity")
        if coding != "identity":  # its bytes would be kept as they come
            raise SemtokError(
                f"{wanted.address}: sends the file in the coding {coding}, which nobody asked for; "
                "set download.mirror in params.yaml"
            )
    except BaseException:
        response.close()
        raise
    return response


def _receive(response: requests.Response, partial: _Partial, emit: Emit, name: str) -> None:
    """Append what comes, or begin anew where the server sends all of it."""
    start, total = _extent(response)
    wanted = partial.wanted
    if None not in (total, wanted.bytes) and total != wanted.bytes:
        raise SemtokError(
            f"{wanted.address}: has {total:,} bytes, expected {wanted.bytes:,}; it is another "
            "file: set download.mirror in params.yaml"
        )
    if start not in (0, partial.size) or (start and partial.total not in (None, total)):
        partial.discard()
        raise _AgainError("sends another part than it was asked for", response)
    tags = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    told = _Told(wanted.address, total, *tags)
    if start and not (wanted.checksum or told.is_same(partial.told)):
        partial.discard()
        raise _AgainError("sends another file than before", response)
    partial.begin(told)
    with partial.path.open("ab" if start else "wb") as stream:
        done = start
        if total:
            emit(Progress(f"download {name}", done, total, "bytes"))
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            stream.write(chunk)
            done += len(chunk)
            if total:
                emit(Progress(f"download {name}", done, total, "bytes"))
    if total is None:  # its end is known by having been reached
        partial.begin(_Told(wanted.address, done))


def _extent(response: requests.Response) -> tuple[int, int | None]:
    """Of what is being sent: where it begins in the file, and how long the whole file is."""
    if response.status_code == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return (int(span[1]), int(span[2])) if span else (-1, None)
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    """In a few words, without addresses and ports."""
    if isinstance(error, _AgainError):
        return str(error)
    for kind, words in _REASONS.items():
        if isinstance(error, kind):
            return words
    return "broken off"


_REASONS: dict[type[Exception], str] = {  # the first that fits
    requests.exceptions.ProxyError: "the proxy gives no connection",
    requests.exceptions.SSLError: "its certificate is not trusted here",
    requests.Timeout: "no answer in time",
    requests.ConnectionError: "no connection",
}
