"""A registered model behind HTTP, as `mlflow models serve` starts it. For tests to import."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
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
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    # A served model runs `uvicorn` by that name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "models", "serve", "-m", model),
            *("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PATH": path,
            "MLFLOW_TRACKING_URI": mlflow_server,
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        },
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
            pytest.fail("the model was not served:\n" + "".join(lines))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield Served(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
