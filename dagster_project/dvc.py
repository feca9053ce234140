"""Runs DVC for a Dagster step, and knows what its messages mean."""

import json
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    Failure,
    OpExecutionContext,
    PipesMessageHandler,
    PipesTempFileContextInjector,
    PipesTempFileMessageReader,
    RetryRequested,
    open_pipes_session,
)
from dagster_pipes import PipesMessage, PipesParams

from dagster_project.processes import environment, running
from semtok.pipes import REASON

#: A pool of this name is limited in dagster.yaml.
POOL = "dvc"

#: DVC refuses to touch what another DVC process works on. Steps wait this long, this often.
RETRY_AFTER, RETRIES = 20, 3

_DVC = [sys.executable, "-m", "dvc", "--wait-for-lock"]
_STARTED = re.compile(r"Running stage '(.+)':")
_BUSY = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")


@dataclass
class Repro:
    """A run of `dvc repro` for a step; its stages report to the step through Pipes, live.

    Attributes:
        root: the project's folder.
        arguments: of `dvc repro`.
        failure: afterwards: one line; empty where all went well.
        checks: afterwards: what the stages reported.
    """

    context: AssetExecutionContext | OpExecutionContext
    root: Path
    arguments: Sequence[str]
    failure: str = ""
    checks: list[AssetCheckResult] = field(default_factory=list)

    def stages(self) -> Iterator[str]:
        """Run it, and give each stage as it starts: those before it are finished.

        Raises:
            BusyError: another DVC process is at work on the same artifacts.
        """
        last: deque[str] = deque(maxlen=50)
        with open_pipes_session(
            context=self.context,
            context_injector=PipesTempFileContextInjector(),
            message_reader=_AnyNumberOfStages(),
        ) as session:
            command = [*_DVC, "repro", *self.arguments]
            with running(command, self.root, session.get_bootstrap_env_vars()) as process:
                assert process.stdout
                for text in process.stdout:
                    sys.stdout.write(text)  # the step's log of raw output
                    last.append(text)
                    if started := _STARTED.match(text):
                        yield started[1]
        results = session.get_reported_results()
        self.checks = [each for each in results if isinstance(each, AssetCheckResult)]
        if process.returncode:
            _raise_if_busy("".join(last))
            reasons = [each[REASON] for each in session.get_custom_messages()]
            self.failure = " ".join(reasons) or _last_error(last)


def out_of_date(root: Path, stages: Sequence[str], upstream: bool = False) -> dict[str, str]:
    """Which of the given stages `dvc repro` would run, and what has changed.

    Args:
        upstream: the stages that they depend on, directly or not, as well.

    Raises:
        BusyError: another DVC process is at work on the same artifacts.
        Failure: DVC cannot tell.
    """
    command = [*_DVC, "status", "--json", *(["--with-deps"] if upstream else []), *stages]
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True)
    if done.returncode:
        _raise_if_busy(done.stderr)
        raise Failure(_last_error(done.stderr.splitlines()), allow_retries=False)
    return {stage: _changes(changes) for stage, changes in json.loads(done.stdout).items()}


class BusyError(Exception):
    """Another DVC process is at work on the same artifacts."""


@contextmanager
def waiting(context: AssetExecutionContext | OpExecutionContext) -> Iterator[None]:
    """Let the step start again later where DVC is busy."""
    try:
        yield
    except BusyError as busy:
        if context.retry_number >= RETRIES:
            raise Failure(
                f"{busy}; materialize again when it has ended", allow_retries=False
            ) from None
        context.log.warning(f"{busy}; waiting {RETRY_AFTER} s for it to end")
        raise RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_AFTER) from None


class _AnyNumberOfStages(PipesTempFileMessageReader):
    """DVC runs no stage, one, or many; each opens and closes the same session.

    Dagster expects to be opened and closed once, and is told so.
    """

    expected_writer_count = 1  # the inherited property warns of being a preview

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        handler.handle_message(_message("opened"))
        try:
            with super().read_messages(_Within(handler)) as params:  # type: ignore[arg-type]
                yield params
        finally:
            handler.handle_message(_message("closed"))


class _Within:
    def __init__(self, handler: PipesMessageHandler) -> None:
        self._handler = handler
        self.report_pipes_framework_exception = handler.report_pipes_framework_exception

    def handle_message(self, message: PipesMessage) -> None:
        if message["method"] not in ("opened", "closed"):
            self._handler.handle_message(message)


def _message(method: Literal["opened", "closed"]) -> PipesMessage:
    return {"__dagster_pipes_version": "0.1", "method": method, "params": {}}


def _raise_if_busy(output: str) -> None:
    if _BUSY.search(output):
        who = re.search(r"\(PID (\d+)\): (.*)", output)
        raise BusyError(
            f"another DVC process is at work{f' ({who[2]}, PID {who[1]})' if who else ''}"
        )


def _changes(entries: list[Any]) -> str:
    """`[{"changed deps": {"semtok/data": "modified"}}]` in words."""
    words = []
    for entry in entries:
        if isinstance(entry, str):
            words.append(entry)
            continue
        for changed in entry.values():
            for path, how in changed.items():
                if isinstance(how, dict):  # params.yaml: {"data.shards": "modified"}
                    words += [f"{path}: {name} {state}" for name, state in how.items()]
                else:
                    words.append(f"{path} {how}")
    return ", ".join(words)


def _last_error(output: Iterable[str]) -> str:
    """The most telling line of a failed process: the stage's last one, else DVC's."""
    lines = [line.strip() for line in output if line.strip()] or ["DVC failed and said nothing"]
    position = max((i for i, line in enumerate(lines) if line.startswith("ERROR: ")), default=-1)
    if position > 0 and "failed to run: " in lines[position]:
        position -= 1
    return lines[position].removeprefix("error: ").removeprefix("ERROR: ")
