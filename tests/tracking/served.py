"""A registered model behind HTTP, as `mlflow models serve` starts it. For tests to import."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest


class Served:
    """One that answers."""

    def __init__(self, address: str) -> None:
        self.address = f"{address}/invocations"

    def ask(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        body = json.dumps({"dataframe_records": rows}).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(self.address, body, headers)) as answer:
            assert answer.status == 200
            return json.loads(answer.read())["predictions"]

    def refused(self, *rows: dict[str, Any]) -> str:
        with pytest.raises(HTTPError) as caught:
            self.ask(list(rows))
        assert caught.value.code == 400
        text = json.loads(caught.value.read())
        assert "Traceback" not in json.dumps(text)
        return text["message"]


@contextmanager
def served(model: str, mlflow_server: str, folder: Path) -> Iterator[Served]:
    """Serve a model until the block ends.

    Args:
        model: its address, models:/NAME/VERSION.
        mlflow_server: that has it.
        folder: where the command runs, an empty one.
    """
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        # A served model runs `uvicorn` by that name.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": mlflow_server,
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    with uvicorn(command, folder, environment):
        yield Served(f"http://127.0.0.1:{port}")


@contextmanager
def uvicorn(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a command that starts uvicorn, from when it answers until the block ends.

    Args:
        command: that is run.
        folder: where.
        environment: beside that of the tests.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Uvicorn running on" in line:
                break
        else:
            pytest.fail(f"{' '.join(command)} did not start:\n" + "".join(lines))
        # Nobody reads the log, and a full pipe would stop the server.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
