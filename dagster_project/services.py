"""`make up` and `make down`: MLflow's server and Dagster, on the same state as the demo."""

import os
import shutil
import socket
import sys
from pathlib import Path

from dagster_project.processes import environment
from dagster_project.supervision import Running, Services, until_told
from semtok.errors import SemtokError, told

_HOST = "127.0.0.1"


def up(root: Path) -> None:
    """Start the services, print their addresses, and stop them when this process is told to.

    Raises:
        SemtokError: they are running already, a port is taken, or a service ended by itself.
    """
    if running := Running.read(root):
        where = " and ".join(running.addresses)
        raise SemtokError(f"already running at {where}; `make down` stops it")
    dagster, mlflow = _port("SEMTOK_DAGSTER_PORT", 3000), _port("SEMTOK_MLFLOW_PORT", 5000)
    addresses = (f"http://{_HOST}:{dagster}", f"http://{_HOST}:{mlflow}")
    env = {
        **environment(),
        "DAGSTER_HOME": str(_dagster_home(root)),
        "MLFLOW_TRACKING_URI": addresses[1],
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its workers outlive SIGTERM
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with until_told(), Services(root, env, addresses) as services:
        print("Starting Dagster and MLflow: about half a minute ...", flush=True)
        services.start("mlflow", _mlflow(root, mlflow))
        services.start("dagster", _dagster(dagster))
        services.wait_until_answering(f"{addresses[0]}/server_info", f"{addresses[1]}/health")
        print(
            f"Dagster  {addresses[0]}\n"
            f"MLflow   {addresses[1]}/#/experiments?workflowType=machine_learning\n"
            "Ctrl-C stops both.",
            flush=True,
        )
        # What was trained while no server was there is uploaded now.
        services.start("sync", ["semtok", "sync"], ends=True)
        services.watch()


def down(root: Path) -> None:
    """End what `up` started, also where `up` itself was killed."""
    running = Running.read(root)
    if running:
        running.stop(root)
    print("Stopped." if running else "Nothing is running.")


def _mlflow(root: Path, port: int) -> list[str]:
    folder = root / ".semtok" / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        *("mlflow", "server", "--host", _HOST, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]


def _dagster(port: int) -> list[str]:
    return ["dagster", "dev", "-h", _HOST, "-p", str(port), "-w", "workspace.yaml"]


def _dagster_home(root: Path) -> Path:
    home = root / ".semtok" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("dagster.yaml"), home)
    return home


def _port(variable: str, default: int) -> int:
    """The port that an environment variable names.

    Raises:
        SemtokError: it is taken, or no port.
    """
    text = os.environ.get(variable, str(default))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SemtokError(f"{variable}={text}: not a port; use a number from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, int(text)))
        except OSError:
            raise SemtokError(
                f"port {text} is taken; choose another: {variable}={int(text) + 1} make up"
            ) from None
    return int(text)


if __name__ == "__main__":
    commands = {"up": up, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit("usage: python -m dagster_project.services up|down")
    try:
        commands[sys.argv[1]](Path.cwd())
    except Exception as error:
        if (line := told(error)) is None:
            raise
        sys.exit(f"error: {line}")
