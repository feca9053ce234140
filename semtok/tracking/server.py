"""Where the tracking server is, whether it answers, and a client that does not wait for minutes."""

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING

from semtok.errors import SemtokError

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Where `make up` starts the server, unless SEMTOK_MLFLOW_PORT names another port.
_HOST, _PORT = "127.0.0.1", "5000"

#: Of a server, and of the databases that MLflow can use without one.
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql")

#: MLflow waits 120 s for an answer, tries 7 times and is talkative. What the user has set stays.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def address() -> str:
    """The tracking server: `MLFLOW_TRACKING_URI`, else where `make up` starts it."""
    port = os.environ.get("SEMTOK_MLFLOW_PORT") or _PORT
    return (os.environ.get("MLFLOW_TRACKING_URI") or f"http://{_HOST}:{port}").rstrip("/")


def answers(server: str, timeout: float = 5.0) -> bool:
    """Whether a tracking server is there and well. Does not import mlflow.

    Args:
        server: its address; one that is not HTTP (a database) has no server that could be down.
        timeout: seconds to wait for a connection, and again for the answer.
    """
    if not server.startswith(("http://", "https://")):
        return True
    try:
        with urllib.request.urlopen(f"{server}/health", timeout=timeout) as response:
            return int(response.status) == 200
    except (OSError, ValueError, HTTPException):
        return False


def client(server: str) -> "MlflowClient":
    """A client of the tracking server and its registry.

    Raises:
        SemtokError: that is no address of a server, or it does not answer.
    """
    scheme, separator, _ = server.partition("://")
    if not separator or scheme.partition("+")[0] not in _SCHEMES:
        raise SemtokError(
            f"MLFLOW_TRACKING_URI: {server!r} is no address of a server; it starts with http://"
        )
    if not answers(server):
        raise SemtokError(
            f"{server}: no MLflow server answers there; start it with `make up`, "
            "or set MLFLOW_TRACKING_URI"
        )
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient(server, server)


@contextmanager
def talking_to(server: str) -> Iterator[None]:
    """Turn what MLflow raises when the server fails into one line.

    Raises:
        SemtokError: the server failed or went away in the middle.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        yield
    except (MlflowException, RequestException) as error:
        reason = " ".join(str(error).split())[:300]
        raise SemtokError(
            f"{server}: {reason}; what was uploaded stays, run `semtok sync` again for the rest"
        ) from error
