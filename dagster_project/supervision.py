"""Processes that are started together and stopped together, with all that they started."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from semtok.errors import SemtokError, installing

_START = 180.0  # seconds until a service must answer
_GRACE = 30.0  # seconds a service has to stop


class Services:
    """The running services of one project; leaving the block stops them all."""

    def __init__(self, root: Path, env: Mapping[str, str], addresses: Sequence[str]) -> None:
        """Start nothing yet.

        Args:
            root: the project's folder; logs and the list of what runs are kept below `.semtok`.
            env: the services' environment.
            addresses: where people find them.
        """
        self._root = root
        self._env = env
        self._running = Running(Process.of("up", os.getpid()), [], list(addresses))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending: set[str] = set()

    def __enter__(self) -> "Services":
        """Let `down` and a second `up` know."""
        self._running.write(self._root)
        return self

    def __exit__(self, *reason: object) -> None:
        """Stop them all, whatever the reason."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # once is enough
        print("Stopping ...", flush=True)
        for service in reversed(self._running.services):
            service.stop()
        for process in self._processes.values():
            process.wait()
        Running.path(self._root).unlink(missing_ok=True)

    def start(self, name: str, command: Sequence[str], ends: bool = False) -> None:
        """Start a service in a process group of its own: Ctrl-C reaches it through here alone.

        Args:
            ends: it is expected to end by itself.

        Raises:
            SemtokError: there is no such command.
        """
        if shutil.which(command[0], path=self._env.get("PATH")) is None:
            raise SemtokError(f"{command[0]}: no such command; {installing('line')}")
        log = self._log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._root,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        if ends:
            self._ending.add(name)
        self._running.services.append(Process.of(name, process.pid))
        self._running.write(self._root)

    def wait_until_answering(self, *addresses: str) -> None:
        """Return when all addresses answer.

        Raises:
            SemtokError: one does not, or a service ended.
        """
        deadline = time.monotonic() + _START
        waiting = list(addresses)
        while waiting := [each for each in waiting if not _answers(each)]:
            self._look()
            if time.monotonic() > deadline:
                raise SemtokError(f"{waiting[0]} does not answer; see {self._log('').parent}")
            time.sleep(0.3)

    def watch(self) -> None:
        """Never return.

        Raises:
            SemtokError: a service ended.
        """
        while True:
            self._look()
            time.sleep(0.5)

    def _look(self) -> None:
        for name, process in list(self._processes.items()):
            status = process.poll()
            if status is None:
                continue
            if name not in self._ending:
                raise SemtokError(f"{name} ended with status {status}; see {self._log(name)}")
            del self._processes[name]
            lines = self._log(name).read_text(errors="replace").split("\n")
            print(f"{name}: {next(filter(None, reversed(lines)), 'done')}", flush=True)

    def _log(self, name: str) -> Path:
        return self._root / ".semtok" / "logs" / f"{name}.log"


@dataclass(frozen=True)
class Process:
    """The leader of a process group, told by its start from a later process of its number."""

    name: str
    pid: int
    started: float

    @classmethod
    def of(cls, name: str, pid: int) -> "Process":
        """A process that runs now."""
        return cls(name, pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Whether it runs still."""
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.started and process.is_running())
        except psutil.Error:
            return False

    def group(self) -> list[psutil.Process]:
        """What is left of its group."""
        if psutil.pid_exists(self.pid) and not self.alive():
            return []  # the number is another's now
        members = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getpgid(process.pid) == self.pid:
                    members.append(process)
        return [each for each in members if each.status() != psutil.STATUS_ZOMBIE]

    def stop(self) -> None:
        """End its group, by force what does not end in time."""
        for send in (psutil.Process.terminate, psutil.Process.kill):
            members = self.group()
            for process in members:
                with contextlib.suppress(psutil.Error):
                    send(process)
            psutil.wait_procs(members, timeout=_GRACE)


@dataclass(frozen=True)
class Running:
    """What runs, on disk for `down` and for a second `up`."""

    supervisor: Process
    services: list[Process]
    addresses: list[str]

    @staticmethod
    def path(root: Path) -> Path:
        """The file of a project."""
        return root / ".semtok" / "services.json"

    @classmethod
    def read(cls, root: Path) -> "Running | None":
        """What was started and has not all ended."""
        try:
            raw = json.loads(cls.path(root).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        services = [Process(**each) for each in raw["services"]]
        running = cls(Process(**raw["supervisor"]), services, raw["addresses"])
        alive = running.supervisor.alive() or any(service.group() for service in services)
        return running if alive else None

    def write(self, root: Path) -> None:
        """Tell `down`."""
        path = self.path(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.replace(path)

    def stop(self, root: Path) -> None:
        """End it all: the supervisor ends its services; where it was killed, they are ended."""
        with contextlib.suppress(psutil.Error):
            if self.supervisor.alive():
                process = psutil.Process(self.supervisor.pid)
                process.terminate()
                process.wait(2 * _GRACE)
        for service in self.services:
            service.stop()
        self.path(root).unlink(missing_ok=True)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def until_told() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the block quietly."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in _SIGNALS:
        signal.signal(number, stop)
    with contextlib.suppress(KeyboardInterrupt):
        yield


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
