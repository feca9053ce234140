"""The leaderboard as text: for the terminal and as Markdown."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from semtok.bench.comparison import final_tasks
from semtok.bench.leaderboard import Leaderboard
from semtok.report import cells, markdown

#: Without what a terminal has no room for.
_QUALITY = tuple(name for name in cells.QUALITY if name != cells.P)
_COSTS = tuple(name for name in cells.COSTS if name != cells.SPEED)
#: Of parts, whose names take the room of the gain.
_OF_PARTS = tuple(name for name in _QUALITY if name != cells.GAIN)

_VERDICTS = {"better": "green", "worse": "red"}


def render(board: Leaderboard, parts: bool = False) -> RenderableType:
    """The leaderboard of the final split, for a terminal of 100 columns.

    Args:
        board: the leaderboard.
        parts: whether the parts of each task stand below it; else it says that there are some.
    """
    tables = []
    for task in final_tasks(board.comparison):
        tables.append(_quality(_QUALITY, cells.title(board, task), cells.quality(board, task)))
        if parts and (rows := cells.of_parts(board, task)):
            tables.append(_quality(_OF_PARTS, "By part", [rows]))
    hidden = not parts and any(task.is_part for task in board.comparison.cases)
    return Group(
        *(Text(line) for line in cells.notes(board)),
        *(part for table in tables for part in (Text(), table)),
        *([Text("\nThese tasks have parts: --parts prints them, too.", "dim")] if hidden else []),
        Text(),
        _table(_COSTS, "Costs", [_only(_COSTS, cells.COSTS, cells.costs(board))]),
        Text(cells.COSTS_MEAN, "dim"),
        Text(cells.speeds(board), "dim"),
    )


def write(board: Leaderboard, path: Path) -> None:
    """Write the leaderboard of all splits as Markdown."""
    path.write_text("# Leaderboard\n\n" + in_markdown(board), encoding="utf-8")


def in_markdown(board: Leaderboard) -> str:
    """The leaderboard of all splits in Markdown, without a title."""
    parts = cells.notes(board)
    for task in board.comparison.cases:
        if not task.is_part:
            rows = [row for block in cells.quality(board, task) for row in block]
            parts += [f"## {cells.title(board, task)}", _markdown(cells.QUALITY, rows)]
            if rows := cells.of_parts(board, task):
                parts += ["By part:", _markdown(cells.QUALITY, rows)]
    parts += ["## Costs", _markdown(cells.COSTS, list(cells.costs(board)))]
    parts.append(f"{cells.COSTS_MEAN} {cells.SPEED_MEANS}")
    return "\n\n".join(parts) + "\n"


def _quality(shown: Sequence[str], title: str, blocks: Sequence[Sequence[Sequence[str]]]) -> Table:
    """A table of some columns of `cells.QUALITY`."""
    return _table(shown, title, [_only(shown, cells.QUALITY, rows) for rows in blocks])


def _only(
    shown: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> list[Sequence[str]]:
    places = [columns.index(name) for name in shown]
    return [[row[place] for place in places] for row in rows]


def _table(columns: Sequence[str], title: str, blocks: list[list[Sequence[str]]]) -> Table:
    """Blocks of rows; a first cell that repeats the one above it is left out."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for column in columns:
        table.add_column(column, justify="left" if column in cells.WORDS else "right")
    for rows in blocks:
        for number, (first, *others) in enumerate(rows):
            repeated = number > 0 and first == rows[number - 1][0]
            last = Text(others[-1], _VERDICTS.get(others[-1], ""))
            table.add_row("" if repeated else first, *others[:-1], last)
        table.add_section()
    return table


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown.table(columns, rows, left=cells.WORDS)
