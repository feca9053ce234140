"""Commands that Dagster starts: found without an active venv, ended with all they started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_GRACE = 20.0  # seconds to stop after SIGINT


def environment() -> dict[str, str]:
    """This process's, with the commands beside this Python on the path and unbuffered output."""
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([beside, os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(
    command: Sequence[str], root: Path, more: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """A process whose output and errors are read as one stream of lines.

    It has ended when the block has; where the block was interrupted, it and all that it started
    are told to stop.

    Args:
        root: the folder to run in.
        more: further environment variables.
    """
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**environment(), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield process
        process.wait()
    finally:
        if process.poll() is None:
            _end(psutil.Process(process.pid))
            process.wait()


def _end(process: psutil.Process) -> None:
    """Told one by one: DVC ignores SIGINT while a stage runs."""
    tree = [process, *process.children(recursive=True)]
    for number in (signal.SIGINT, signal.SIGKILL):
        for each in tree:
            if each.is_running():
                each.send_signal(number)
        psutil.wait_procs(tree, timeout=_GRACE)
