"""Between what the numbers of the page lie: chance, words alone and a perfect observer."""

from collections.abc import Iterator

from semtok.bench import guessing
from semtok.bench.cases import Task
from semtok.bench.guessing import Bounds
from semtok.report.study import tables
from semtok.report.study.published import METRIC, Published
from semtok.report.study.tables import Found

_ROWS = {"chance": "chance", "blind": "words alone", "ceiling": "perfect observer"}


def rows(published: Published, found: Found) -> list[list[str]]:
    """A row each, a column a task; a row that says nothing of any task is left out.

    Args:
        published: the scores.
        found: the tasks.
    """
    bounds = {task: _bounds(published, task) for task in found}
    told = []
    for field, name in _ROWS.items():
        values = [getattr(each, field) for each in bounds.values()]
        if any(values):
            told.append([f"*{name}*", *(f"{each[METRIC]:.1f}" if each else "" for each in values)])
    return told


def cautions(published: Published, found: Found) -> Iterator[str]:
    """Where the baseline does no better than one who does not look.

    Gains over it say little there: it may have learned nothing yet, or nothing of images.
    """
    baseline = published.params.bench.baseline
    if baseline not in published.scores:
        return
    guessed, read = [], []
    for task, values in found.items():
        bounds, confidence = _bounds(published, task), published.params.bench.confidence
        low = values[baseline].interval(confidence).low
        if low is not None and METRIC in bounds.chance and low <= bounds.chance[METRIC]:
            guessed.append(f"{tables.name(task)} ({bounds.chance[METRIC]:.1f})")
        elif low is not None and bounds.blind and low <= bounds.blind[METRIC]:
            read.append(f"{tables.name(task)} ({bounds.blind[METRIC]:.1f})")
    if guessed:
        yield (
            f"**`{baseline}` does no better than chance** at {', '.join(guessed)}: what others "
            "gain over it there is measured from where nothing was learned."
        )
    if read:
        yield (
            f"`{baseline}` does no better than the words alone, without a picture, at "
            f"{', '.join(read)}."
        )


def _bounds(published: Published, task: Task) -> Bounds:
    return guessing.bounds(next(iter(published.scores.values()))[task])
