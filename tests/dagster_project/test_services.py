"""`make up` and `make down`, with the real servers."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
SERVICES = [sys.executable, "-m", "dagster_project.services"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def env() -> dict[str, str]:
    ports = {"SEMTOK_DAGSTER_PORT": str(free_port()), "SEMTOK_MLFLOW_PORT": str(free_port())}
    return {**os.environ, **ports}


def services(root: Path, env: dict[str, str], command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*SERVICES, command], cwd=root, env=env, capture_output=True, text=True)


def members(root: Path) -> list[int]:
    """All processes of the running services."""
    state = json.loads((root / ".semtok" / "services.json").read_bytes())
    groups = {service["pid"] for service in state["services"]}
    return [each.pid for each in psutil.process_iter() if os.getpgid(each.pid) in groups]


@pytest.fixture
def up(built: Any, env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    (built.root / "workspace.yaml").write_bytes((REPO / "workspace.yaml").read_bytes())
    with subprocess.Popen(
        [*SERVICES, "up"], cwd=built.root, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()
        services(built.root, env, "down")


def read_until(stream: IO[str] | None, text: str) -> str:
    assert stream
    read = ""
    for line in stream:
        read += line
        if line.startswith(text):
            return read
    raise AssertionError(read)


def test_up_answers_and_ctrl_c_stops_it_all(built, env: dict[str, str], up) -> None:
    said = read_until(up.stdout, "Ctrl-C")
    dagster = f"http://127.0.0.1:{env['SEMTOK_DAGSTER_PORT']}"
    mlflow = f"http://127.0.0.1:{env['SEMTOK_MLFLOW_PORT']}"
    assert f"Dagster  {dagster}\nMLflow   {mlflow}/" in said
    for address in (f"{dagster}/server_info", f"{mlflow}/health"):
        with urllib.request.urlopen(address) as response:
            assert response.status == 200
    assert read_until(up.stdout, "sync: ")

    second = services(built.root, env, "up")
    assert second.returncode == 1
    assert second.stderr == (
        f"error: already running at {dagster} and {mlflow}; `make down` stops it\n"
    )
    pids = members(built.root)
    assert len(pids) > 4
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert services(built.root, env, "down").stdout == "Nothing is running.\n"


def test_down_ends_what_a_killed_up_left(built, env: dict[str, str], up) -> None:
    read_until(up.stdout, "Ctrl-C")
    pids = members(built.root)
    up.kill()
    up.wait()
    assert services(built.root, env, "up").returncode == 1
    assert services(built.root, env, "down").stdout == "Stopped.\n"
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_taken_port_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(env["SEMTOK_MLFLOW_PORT"])))
        other.listen()
        done = services(tmp_path, env, "up")
    port = int(env["SEMTOK_MLFLOW_PORT"])
    assert done.returncode == 1
    assert done.stderr == (
        f"error: port {port} is taken; choose another: SEMTOK_MLFLOW_PORT={port + 1} make up\n"
    )


def test_a_port_is_a_number(tmp_path: Path, env: dict[str, str]) -> None:
    done = services(tmp_path, {**env, "SEMTOK_DAGSTER_PORT": "web"}, "up")
    assert (
        done.stderr == "error: SEMTOK_DAGSTER_PORT=web: not a port; use a number from 1 to 65535\n"
    )


def test_a_command_that_is_not_installed_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    bare = tmp_path / "bin/python"  # commands are looked for beside it
    bare.parent.mkdir()
    bare.symlink_to(sys.executable)
    given = {**env, "PATH": "", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [bare, *SERVICES[1:], "up"], cwd=tmp_path, env=given, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: mlflow: no such command; pip install -c constraints.txt -e '.[line]'\n"
    )
    assert not (tmp_path / ".semtok/services.json").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / ".semtok").write_text("")
    done = services(tmp_path, env, "up")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path}/.semtok")
    assert done.stderr.count("\n") == 1


def test_a_service_that_ends_stops_the_others(built, env: dict[str, str]) -> None:
    # Without workspace.yaml Dagster cannot start.
    done = services(built.root, env, "up")
    assert done.returncode == 1
    assert "error: dagster ended with status" in done.stderr
    assert "logs/dagster.log" in done.stderr
    assert not (built.root / ".semtok" / "services.json").exists()
