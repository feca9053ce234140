"""Log a training while it runs, where a tracking server answers; never hold it up."""

import queue
import threading
import time
from types import TracebackType
from typing import Self

from semtok.events import Emit, Event, Message, Metrics, ignore
from semtok.tracking import runs, server
from semtok.tracking.training import Training

#: Seconds that the end of a training waits for its last values to be logged.
PATIENCE = 10.0


class LiveRun:
    """A listener for `Metrics` events: logs them to the training's MLflow run.

    A thread talks to the server, so that a slow one costs the training nothing. When the server is
    down, or dies, it says so once and the training goes on; `sync` uploads what is missing. A
    training that was killed continues its run.
    """

    def __init__(self, training: Training, emit: Emit = ignore, address: str | None = None) -> None:
        """Prepare; `with` starts and ends it.

        Args:
            emit: who is told, in one `Message`, that the server is down.
            address: of the tracking server; default: `server.address()`.
        """
        self._training = training
        self._emit = emit
        self._address = address or server.address()
        self._events: queue.SimpleQueue[list[runs.Value] | str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._log, daemon=True, name="mlflow")
        self._fault = ""

    def __enter__(self) -> Self:
        """Start where the server answers."""
        if server.answers(self._address):
            self._thread.start()
        else:
            self._fault = "does not answer"
        self._complain_once()
        return self

    def __call__(self, event: Event) -> None:
        """Log the event if it is of metrics; returns at once."""
        if isinstance(event, Metrics) and self._thread.is_alive():
            when = time.time_ns() // 1_000_000
            self._events.put(
                [runs.Value(name, value, event.step, when) for name, value in event.values.items()]
            )
        self._complain_once()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run: finished, failed, or killed by the user."""
        if self._thread.is_alive():
            ended = issubclass(kind, Exception) if kind else None
            self._events.put({None: "FINISHED", True: "FAILED", False: "KILLED"}[ended])
            self._thread.join(PATIENCE)
            if self._thread.is_alive():
                self._fault = "is too slow"
        self._complain_once()

    def _complain_once(self) -> None:
        # From the training's own thread: listeners need not be safe to call from another.
        fault, self._fault = self._fault, ""
        if fault:
            self._emit(
                Message(
                    f"{self._address}: the MLflow server {fault}; training goes on, "
                    "`semtok sync` uploads it later"
                )
            )

    def _log(self) -> None:
        try:
            values, status = self._wait()
            client = server.client(self._address)
            first = min((each.step for each in values), default=1)
            run_id, known = runs.open_run(
                client, self._training, lambda found: _goes_on(found, first)
            )
            while True:
                # After a kill the steps since the last saved state are repeated.
                new = [each for each in values if (each.name, each.step) not in known]
                runs.log_values(client, run_id, new)
                if status:
                    client.set_terminated(run_id, status)
                    return
                values, status = self._wait()
        except Exception as error:
            # Whatever goes wrong in tracking, it is not worth a training.
            self._fault = f"failed ({' '.join(str(error).split())[:200]})"

    def _wait(self) -> tuple[list[runs.Value], str]:
        """What has come in since, at least one item, and the run's status if it has ended."""
        values: list[runs.Value] = []
        while True:
            item = self._events.get()
            if isinstance(item, str):
                return values, item
            values += item
            if self._events.empty():
                return values, ""


def _goes_on(found: runs.Logged, first: int) -> bool:
    """Whether a training whose first values are of the step `first` continues a run."""
    return not found or min(step for _, step in found) < first
