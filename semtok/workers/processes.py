"""Workers that are processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from semtok.workers.crew import Failed, Lost, Made, Open, Opened, Report, Shard

#: How many threads the libraries of a process run; what the environment says already holds.
_THREADS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


class Processes:
    """A crew of processes, each at the other end of a pipe, which breaks when one is lost."""

    def __init__(self, count: int, open_: Open, staging: Path) -> None:
        """Start so many."""
        self._open, self._staging = open_, staging
        self._threads = max(1, (os.cpu_count() or 1) // count)
        self._workers: dict[int, tuple[BaseProcess, Connection]] = {}
        self._hired = 0
        for _ in range(count):
            self.hire()

    def hire(self) -> None:
        """Start one more; see `Crew`."""
        # Spawned, not forked: a fork of a process with threads (torch's, CUDA's) may hang.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = theirs, self._open, self._staging
        process = context.Process(target=_serve, args=arguments, daemon=True)
        with _threads(self._threads):
            process.start()
        theirs.close()
        self._workers[self._hired] = process, ours
        self._hired += 1

    def give(self, worker: int, shard: Shard) -> None:
        """Hand over a shard; see `Crew`."""
        with suppress(OSError):  # it is lost, which its pipe will say as well
            self._workers[worker][1].send(shard)

    def wait(self) -> tuple[int, Report]:
        """The next report; see `Crew`."""
        pipes = {pipe: worker for worker, (_, pipe) in self._workers.items()}
        pipe = next(each for each in wait(list(pipes)) if isinstance(each, Connection))
        try:
            return pipes[pipe], pipe.recv()
        except (EOFError, OSError):
            process, _ = self._workers.pop(pipes[pipe])
            process.join()
            pipe.close()
            return pipes[pipe], _lost(process.exitcode or 0)

    def close(self) -> None:
        """End all; see `Crew`."""
        for process, pipe in self._workers.values():
            process.kill()
            process.join()
            pipe.close()
        self._workers.clear()


def _serve(pipe: Connection, open_: Open, staging: Path) -> None:
    """Make what comes through the pipe, until it is closed or the process at its end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for that one, which ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        make = open_()
    except Exception as error:
        pipe.send(Failed.by(error))
        return
    pipe.send(Opened())
    while True:
        try:
            shard: Shard = pipe.recv()
        except EOFError:
            return
        report: Report
        try:
            report = Made(make(shard, staging / shard.name, lambda images: None))
        except Exception as error:
            report = Failed.by(error)
        pipe.send(report)


def _lost(code: int) -> Lost:
    """What an exit code tells: the kernel ends with SIGKILL whoever takes the last memory."""
    if code >= 0:
        return Lost(f"exit code {code}")
    return Lost(signal.Signals(-code).name, memory=-code == signal.SIGKILL)


def _end_with_parent() -> None:
    """In the midst of a shard as well: the next run writes to the same staging folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """What starts in this block runs so many threads: libraries read it when they are imported."""
    said = {name: str(count) for name in _THREADS if name not in os.environ}
    os.environ.update(said)
    try:
        yield
    finally:
        for name in said:
            del os.environ[name]
