"""`make up` and `make down`: MLflow's server and Dagster, started together and stopped together."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from dagster_project.processes import environment
from semtok.errors import SemtokError

_HOST = "127.0.0.1"
_START = 180.0  # seconds until a service must answer
_GRACE = 30.0  # seconds a service has to stop


def main(command: str, root: Path) -> int:
    """Run `up` (until Ctrl-C) or `down` in a project's folder; returns the exit status."""
    try:
        if command == "up":
            up(root)
        else:
            down(root)
    except SemtokError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def up(root: Path) -> None:
    """Start the services, print their addresses, and stop them when this process is told to.

    Raises:
        SemtokError: they are running already, a port is taken, or a service ended by itself.
    """
    state = _State.read(root)
    if state and state.alive():
        raise SemtokError(
            f"already running at {' and '.join(state.addresses)}; `make down` stops it"
        )
    mlflow = _port("SEMTOK_MLFLOW_PORT", 5000)
    dagster = _port("SEMTOK_DAGSTER_PORT", 3000)
    addresses = [f"http://{_HOST}:{dagster}", f"http://{_HOST}:{mlflow}"]
    env = {
        **environment(),
        "DAGSTER_HOME": str(_dagster_home(root)),
        "MLFLOW_TRACKING_URI": addresses[1],
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else worker processes outlive SIGTERM
    }
    with _stopping_on_signals(), _Services(root, env, addresses) as services:
        services.start("mlflow", _mlflow_command(root, mlflow))
        services.start("dagster", _dagster_command(dagster))
        print("Starting Dagster and MLflow, which takes about half a minute ...", flush=True)
        services.wait_until_answering(f"{addresses[0]}/server_info", f"{addresses[1]}/health")
        print(
            f"Dagster  {addresses[0]}\n"
            f"MLflow   {addresses[1]}/?workflowType=machine_learning\n"
            "Ctrl-C stops both.",
            flush=True,
        )
        # The demo trained while no server was there; its runs are uploaded now.
        services.start("sync", ["semtok", "sync"], once=True)
        services.watch()


def down(root: Path) -> None:
    """End what `up` started, also where `up` itself was killed."""
    state = _State.read(root)
    if not state or not state.alive():
        print("Nothing is running.")
        return
    if state.supervisor.alive():
        psutil.Process(state.supervisor.pid).terminate()
        with contextlib.suppress(psutil.Error):
            psutil.Process(state.supervisor.pid).wait(2 * _GRACE)
    for service in state.services:
        service.stop()
    _State.path(root).unlink(missing_ok=True)
    print("Stopped.")


@dataclass(frozen=True)
class _Process:
    """A process, told by its start from a later one that was given the same number."""

    name: str
    pid: int
    started: float

    @classmethod
    def of(cls, name: str, pid: int) -> "_Process":
        return cls(name, pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.started and process.is_running())
        except psutil.Error:
            return False

    def group(self) -> list[psutil.Process]:
        """What is left of the process group that it leads."""
        if psutil.pid_exists(self.pid) and not self.alive():
            return []  # the number is another's now
        members = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getpgid(process.pid) == self.pid and process.status() != "zombie":
                    members.append(process)
        return members

    def stop(self) -> None:
        for send in (psutil.Process.terminate, psutil.Process.kill):
            members = self.group()
            for process in members:
                with contextlib.suppress(psutil.Error):
                    send(process)
            psutil.wait_procs(members, timeout=_GRACE)


@dataclass(frozen=True)
class _State:
    """What is running, on disk for `down` and for a second `up`."""

    supervisor: _Process
    services: list[_Process]
    addresses: list[str]

    @staticmethod
    def path(root: Path) -> Path:
        return root / ".semtok" / "services.json"

    @classmethod
    def read(cls, root: Path) -> "_State | None":
        try:
            raw = json.loads(cls.path(root).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        services = [_Process(**each) for each in raw["services"]]
        return cls(_Process(**raw["supervisor"]), services, raw["addresses"])

    def write(self, root: Path) -> None:
        self.path(root).parent.mkdir(parents=True, exist_ok=True)
        self.path(root).write_text(json.dumps(asdict(self), indent=1))

    def alive(self) -> bool:
        return self.supervisor.alive() or any(service.group() for service in self.services)


class _Services:
    """The running services of one project; all are stopped on exit."""

    def __init__(self, root: Path, env: Mapping[str, str], addresses: list[str]) -> None:
        self._root = root
        self._env = env
        self._state = _State(_Process.of("up", os.getpid()), [], addresses)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._once: set[str] = set()

    def __enter__(self) -> "_Services":
        self._state.write(self._root)
        return self

    def __exit__(self, *reason: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # once is enough
        print("Stopping ...", flush=True)
        for service in reversed(self._state.services):
            service.stop()
        for process in self._processes.values():
            process.wait()
        _State.path(self._root).unlink(missing_ok=True)

    def start(self, name: str, command: Sequence[str], once: bool = False) -> None:
        """Start a service in a process group of its own, so that the terminal's Ctrl-C reaches
        it through this process alone.

        Args:
            once: it is expected to end by itself.
        """
        self._log(name).parent.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self._root,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        if once:
            self._once.add(name)
        self._state.services.append(_Process.of(name, process.pid))
        self._state.write(self._root)

    def wait_until_answering(self, *addresses: str) -> None:
        """Return when all addresses answer."""
        deadline = time.monotonic() + _START
        waiting = list(addresses)
        while waiting := [each for each in waiting if not _answers(each)]:
            self._look()
            if time.monotonic() > deadline:
                raise SemtokError(f"{waiting[0]} does not answer; see {self._log('').parent}")
            time.sleep(0.3)

    def watch(self) -> None:
        """Return never; raises where a service ends."""
        while True:
            self._look()
            time.sleep(0.5)

    def _look(self) -> None:
        for name, process in self._processes.items():
            status = process.poll()
            if status is not None and name not in self._once:
                raise SemtokError(f"{name} ended with status {status}; see {self._log(name)}")
            if status is not None:
                self._once.discard(name)
                self._processes.pop(name)
                text = self._log(name).read_text(errors="replace").strip()
                print(f"{name}: {text.splitlines()[-1] if text else 'done'}", flush=True)
                return

    def _log(self, name: str) -> Path:
        return self._root / ".semtok" / "logs" / f"{name}.log"


def _mlflow_command(root: Path, port: int) -> list[str]:
    folder = root / ".semtok" / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        *("mlflow", "server", "--host", _HOST, "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *("--workers", "1"),
    ]


def _dagster_command(port: int) -> list[str]:
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


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal all end the block quietly."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with contextlib.suppress(KeyboardInterrupt):
        yield


if __name__ == "__main__":
    if sys.argv[1:] not in (["up"], ["down"]):
        sys.exit("usage: python -m dagster_project.services up|down")
    sys.exit(main(sys.argv[1], Path.cwd()))
