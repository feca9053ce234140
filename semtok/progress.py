"""Progress bars and log lines for people at a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as display:
        tasks = {}

        def emit(event: Event) -> None:
            match event:
                case events.Progress(what, done, total):
                    if what not in tasks:
                        tasks[what] = display.add_task(what, title=title, note="", total=total)
                    display.update(tasks[what], completed=done, total=total)
                case events.Metrics(_, values):
                    if tasks and "loss" in values:
                        display.update(max(tasks.values()), note=f"loss {values['loss']:.3f}")
                case events.Message(text):
                    console.print(f"[bold]{title}[/] {text}", highlight=False)

        yield emit
