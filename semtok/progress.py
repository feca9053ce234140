"""Progress bars and log lines for people at a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from semtok import events
from semtok.events import Emit, Event


@contextmanager
def bars(title: str) -> Iterator[Emit]:
    """Show a bar per kind of work while the block runs.

    Where no person watches (standard error is no terminal) only messages are printed.

    Args:
        title: printed before each bar and message, e.g. `masks@annotated-train`.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]{task.fields[title]}"),
        TextColumn("{task.description}"),
        BarColumn(),
        _Amount(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as display:
        tasks = {}

        def emit(event: Event) -> None:
            match event:
                case events.Progress(what, done, total, unit):
                    if what not in tasks:
                        # What an earlier run has done counts for no rate.
                        tasks[what] = display.add_task(
                            what, title=title, note="", unit=unit, total=total, completed=done
                        )
                    display.update(tasks[what], completed=done, total=total)
                case events.Metrics(_, values):
                    if tasks and "loss" in values:
                        display.update(max(tasks.values()), note=f"loss {values['loss']:.3f}")
                case events.Message(text):
                    console.print(f"[bold]{title}[/] {text}", highlight=False)

        yield emit


class _Amount(ProgressColumn):
    """How much of the work is done: bytes in their units, with their rate."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes, self._rate = DownloadColumn(), TransferSpeedColumn()
        self._number = MofNCompleteColumn()

    def render(self, task: Task) -> Text:
        if task.fields["unit"] == "bytes":
            return Text(" ").join([self._bytes.render(task), self._rate.render(task)])
        return self._number.render(task)
