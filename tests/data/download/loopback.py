"""An HTTP server on loopback that misbehaves as it is told, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """A file, and how it is sent."""

    content: bytes
    breaks: int = 0  # so many answers are broken off,
    after: int = 0  # each after so many bytes
    ranges: bool = True  # whether Range is heeded
    tag: str = '"1"'  # ETag; empty: none
    modified: str = ""  # Last-Modified; empty: none
    heeds: bool = True  # whether If-Range is heeded
    kind: str = "application/octet-stream"
    length: int | None = None  # what Content-Length says instead of the truth
    statuses: list[int] = field(default_factory=list)  # answered first, one a request
    redirect: str = ""  # where to ask instead
    coding: str = ""  # Content-Encoding; empty: none
    chunked: bool = False  # no length is said; a chunk follows the other
    plan: list[tuple[int, bool]] = field(default_factory=list)  # of answers: bytes, Range heeded


@dataclass
class Asked:
    """A request."""

    path: str
    headers: dict[str, str]


@dataclass
class Host:
    """The server."""

    port: int
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, path: str, content: bytes, **how) -> str:
        """Offer a file; gives its address."""
        self.files[path] = Served(content, **how)
        return self.address + path


@contextmanager
def running() -> Iterator[Host]:
    """Serve while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.host = Host(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.host
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = self.server.host
        host.asked.append(Asked(self.path, dict(self.headers)))
        served = host.files.get(self.path)
        if served is None:
            self.send_error(404)
        elif served.statuses:
            self.send_response(served.statuses.pop(0))
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif served.redirect:
            self.send_response(302)
            self.send_header("Location", served.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(served)

    def _send(self, served: Served) -> None:
        total, start = len(served.content), 0
        most, ranges = served.plan.pop(0) if served.plan else (total, served.ranges)
        asked = self.headers.get("Range") if ranges else None
        known = self.headers.get("If-Range")
        same = not served.heeds or known in (None, served.tag, served.modified)
        if asked and same:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        length = total - start if served.length is None else served.length
        if served.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.send_header("Content-Type", served.kind)
        if served.tag:
            self.send_header("ETag", served.tag)
        if served.coding:
            self.send_header("Content-Encoding", served.coding)
        if served.modified:
            self.send_header("Last-Modified", served.modified)
        self.end_headers()
        body = served.content[start : start + most]
        if served.breaks:
            served.breaks -= 1
            body = body[: served.after]
        if served.chunked:
            end = b"0\r\n\r\n" if start + len(body) == total else b""
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n" + end
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        """Say nothing."""
