"""A real MLflow server for the whole session, and real servers that misbehave."""

import http.client
import os
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch

from semtok.tracking.server import answers
from semtok.tracking.training import Training
from semtok.workspace import Workspace
from tests import small_line
from tests.conftest import Once
from tests.tracking.served import free_port, uvicorn


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server with SQLite and local artifacts, on loopback."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with uvicorn(command, folder, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}):
        address = f"http://127.0.0.1:{port}"
        assert answers(address, timeout=60)
        yield address


Behaviour = Callable[["Misbehaving", "Handler"], None]


class Misbehaving(ThreadingHTTPServer):
    """A loopback server that does with each request what `behave` says.

    Attributes:
        paths: of the requests so far.
        hanging: set as soon as a request hangs.
        release: lets hanging requests go.
    """

    daemon_threads = True

    def __init__(self, behave: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave
        self.paths: list[str] = []
        self.hanging, self.release = threading.Event(), threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Misbehaving

    def parse_request(self) -> bool:
        """Hand every request to the server's behaviour, whatever its method."""
        if super().parse_request():
            self.server.paths.append(urlsplit(self.path).path)
            self.server.behave(self.server, self)
            self.wfile.flush()
        return False

    def answer(self, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Loopback:
    """Starts servers that misbehave, and the ways in which they do."""

    def __init__(self) -> None:
        self.started: list[Misbehaving] = []

    def start(self, behave: Behaviour) -> Misbehaving:
        server = Misbehaving(behave)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.started.append(server)
        return server

    @staticmethod
    def hang(server: Misbehaving, handler: Handler) -> None:
        """Accept and never answer."""
        server.hanging.set()
        server.release.wait()

    @staticmethod
    def fail(server: Misbehaving, handler: Handler) -> None:
        handler.answer(500, b"no luck")

    @staticmethod
    def healthy_but(then: Behaviour) -> Behaviour:
        """Answer the health check, and do something else with every other request."""

        def behave(server: Misbehaving, handler: Handler) -> None:
            if handler.path == "/health":
                handler.answer(200, b"OK")
            else:
                then(server, handler)

        return behave

    @staticmethod
    def dies(target: str, at: str, times: int) -> Behaviour:
        """Pass requests on to a real server; from the n-th of a kind on drop all, until `release`.

        Args:
            target: address of the real server.
            at: how the paths end that count.
            times: how many of those get through.
        """

        def behave(server: Misbehaving, handler: Handler) -> None:
            deadly = sum(path.endswith(at) for path in server.paths) > times
            if deadly and not server.release.is_set():
                server.hanging.set()
                handler.close_connection = True
                return
            where = urlsplit(target)
            connection = http.client.HTTPConnection(where.netloc)
            body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in handler.headers.items() if k.lower() != "host"}
            connection.request(handler.command, handler.path, body, headers)
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type", "text/plain")
            handler.answer(answer.status, answer.read(), kind)

        return behave


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    """Servers that are gone after the test."""
    servers = Loopback()
    yield servers
    for server in servers.started:
        server.release.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a server that hangs within a second, and do not retry."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def training() -> Callable[..., Training]:
    """Make trainings that nothing on disk belongs to."""
    return _training


def _training(seed: int = 0, variant: str = "vit", premises: str = "p") -> Training:
    provenance = {
        "stage": f"checkpoint@{variant}",
        "inputs": {"index": "0" * 32, "token_shards@grid-train": "1" * 32},
        "params": {
            "encoder": {"width": 8, "depth": 2},
            "train": {"steps": 4, "seeds": [0, 1]},
            f"variants.{variant}": {"tokenizer": "grid", "patch_size": 16},
        },
    }
    facts = {"commit": "c0ffee", "dirty": True, "premises": premises, "learning_rate": 1e-3}
    return Training("scenes", seed, provenance, facts)


@pytest.fixture(scope="session")
def line(once: Once) -> Path:
    """The project's folder of a small line, with two seeds of two variants; not to be changed."""
    return once("searched", _build)


def _build(root: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"  # nobody: it trains untracked
    try:
        document = small_line.shrunk(small_line.own())
        document["train"]["search"] = [1e-2]
        small_line.build(root, document)
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
        torch.set_num_threads(threads)


@pytest.fixture
def workspace(line: Path, tmp_path: Path) -> Workspace:
    """A copy of the line, under a data set's name of its own, for the registry is shared."""
    data = f"data{uuid.uuid4().hex[:8]}"
    shutil.copytree(line / "artifacts" / "scenes", tmp_path / "artifacts" / data)
    return Workspace(tmp_path, data)


@pytest.fixture
def free_address() -> str:
    """An address where nothing listens."""
    return f"http://127.0.0.1:{free_port()}"
