"""What a stage tells Dagster when it runs under it: log lines, progress, the gate's verdict.

The only file that imports dagster_pipes, and only under Dagster.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.filesize import decimal

from semtok.checks.verdict import Verdict
from semtok.errors import SemtokError
from semtok.events import Event, Message, Metrics, Progress

if TYPE_CHECKING:
    from dagster_pipes import PipesContext

#: The name of every stage's asset check.
GATE = "gate"

#: What the orchestrator may know of a failure, in its custom message.
REASON = "reason"


@contextmanager
def session(stage: str, partition: str | None) -> Iterator["Listener"]:
    """Talk to the Dagster step that this process works for, where there is one.

    A `SemtokError` that leaves the block reaches Dagster as its one line.

    Args:
        stage: the stage that runs; its check is reported where the step makes its asset.
        partition: its partition, for the log.
    """
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield Listener()
        return
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as context:
        try:
            yield _DagsterListener(context, stage, partition)
        except SemtokError as error:
            context.report_custom_message({REASON: str(error)})
            context.close()  # without the exception, whose traceback would bury the line
            raise


class Listener:
    """Hears what a stage has to say; this one tells nobody."""

    def emit(self, event: Event) -> None:
        """Take an event of the stage's work."""

    def check(self, verdict: Verdict) -> None:
        """Take the gate's verdict."""


class _DagsterListener(Listener):
    """Tells Dagster."""

    def __init__(self, context: "PipesContext", stage: str, partition: str | None) -> None:
        self._context = context
        self._stage = stage
        self._title = f"{stage}@{partition}" if partition else stage
        self._tenths: dict[str, int] = {}
        self._begun: dict[str, tuple[int, float]] = {}

    def emit(self, event: Event) -> None:
        match event:
            case Message(text):
                self._log(text)
            case Metrics(step, values):
                pairs = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
                self._log(f"step {step}: {pairs}")
            case Progress(what, done, total, unit):
                first, since = self._begun.setdefault(what, (done, time.monotonic()))
                # Every tenth once: the log is kept for good, and thousands of lines hide the rest.
                tenth = 10 * done // total if total else 10
                if tenth > self._tenths.get(what, 0):
                    self._tenths[what] = tenth
                    amount = f"{done:,} of {total:,}"
                    if unit == "bytes":
                        amount = f"{decimal(done)} of {decimal(total)}"
                        if (elapsed := time.monotonic() - since) and done > first:
                            amount += f", {decimal(int((done - first) / elapsed))}/s"
                    self._log(f"{what}: {10 * tenth} % ({amount})")

    def check(self, verdict: Verdict) -> None:
        # A job that runs the whole line reports the checks itself, from the artifacts.
        if self._context.is_asset_step and self._stage in self._context.asset_keys:
            metadata = check_metadata(verdict)
            table = {"raw_value": metadata.pop("expectations"), "type": "md"}
            self._context.report_asset_check(
                GATE,
                passed=verdict.passed,
                severity="ERROR",
                metadata={**metadata, "expectations": table},
                asset_key=self._stage,
            )

    def _log(self, text: str) -> None:
        self._context.log.info(f"{self._title} {text}")


def check_metadata(verdict: Verdict) -> dict[str, str | float]:
    """What a check shows: the reason where it is red, all expectations, and what each observed.

    Returns:
        Texts and numbers by name. Dagster plots the numbers over time. `expectations` is a
        Markdown table with what failed first.
    """
    rows = ["| expectation | passed | observed | expected |", "| --- | --- | --- | --- |"]
    for check in sorted(verdict.checks, key=lambda each: each.passed):
        observed = "" if check.observed is None else f"{check.observed:g}"
        cells = [
            f"{check.name}: {check.description}",
            "yes" if check.passed else "**NO**",
            f"{observed} e.g. {check.example}" if check.example else observed,
            check.expected,
        ]
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    numbers = {each.name: each.observed for each in verdict.checks if each.observed is not None}
    reason = {} if verdict.passed else {REASON: verdict.reason}
    return {**reason, "expectations": "\n".join(rows), **numbers}
