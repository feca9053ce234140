"""A page on loopback, for browsers that open no files."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HOST = "127.0.0.1"


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on a free port of 127.0.0.1 while the block runs.

    Yields:
        The address.
    """
    with ThreadingHTTPServer((_HOST, 0), partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def wait() -> None:
    """Wait until Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


class _Handler(SimpleHTTPRequestHandler):
    """Answers who asks for loopback alone: no other site can read it by a name of its own."""

    def send_head(self):  # type: ignore[no-untyped-def]
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in (_HOST, "localhost"):
            self.send_error(421)
            return None
        return super().send_head()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing of each file."""
