"""One HTML file that needs nothing else: the same artifacts give the same bytes."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from semtok.bench.cases import Task
from semtok.bench.comparison import final_tasks
from semtok.bench.leaderboard import Leaderboard
from semtok.params import Params
from semtok.report import cells, charts
from semtok.report.comparison import cards
from semtok.report.headlines import headlines
from semtok.workspace import Workspace

_TEMPLATE = "page.html.jinja"

#: What each chart shows, for those who do not see it.
_CHARTS = {
    charts.CHART: "Recalls of every variant with their intervals; the tables hold the numbers.",
    charts.CURVES: "Loss and validation recall of every variant's first training over its steps.",
    charts.BUDGET: "Recall of every variant over the tokens that it may send, and over noise.",
}


@dataclass(frozen=True)
class _Table:
    """A table of text.

    Attributes:
        title: of its rows.
        columns: their heads; those in `cells.WORDS` are set to the left.
        blocks: rows that belong together, each with a title, or an empty one.
    """

    title: str
    columns: Sequence[str]
    blocks: Sequence[tuple[str, Sequence[Sequence[str]]]]


def write(
    board: Leaderboard,
    workspace: Workspace,
    params: Params,
    scores: Mapping[str, Path],
    path: Path,
) -> None:
    """Write a comparison as a page: numbers, charts, costs, and the cases where variants differ.

    Args:
        board: the comparison.
        workspace: with what it was made from, and what `cards.sides` shows.
        params: all settings.
        scores: each that is compared -> its `scores` artifact.
        path: the `.html` file.

    Raises:
        SemtokError: an artifact is missing, or an image cannot be read.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = board.comparison
    shown = headlines(found.cases)
    # Captions are anybody's words, so everything is escaped.
    environment = Environment(
        loader=PackageLoader(str(__package__), "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scores = {name: scores[name] for name in found.names}
    cases = _cases(board, workspace, params, scores, shown)
    compared = {name for of_task in cases.values() for side in of_task for name in side.pair}
    html = environment.get_template(_TEMPLATE).render(
        variants=found.names,
        notes=cells.notes(board),
        headline=_headline(board, shown),
        details=[(_all(board, task), _parts(board, task)) for task in final_tasks(found)],
        costs=_Table("Costs", cells.COSTS, [("", list(cells.costs(board)))]),
        costs_mean=f"{cells.COSTS_MEAN} {cells.SPEED_MEANS}",
        charts=_charts(board, params, scores),
        cases=cases,
        left_out=[name for name in found.names if name not in compared],
        words=cells.WORDS,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")  # a full disk must not cost an older page
    try:
        partial.write_text(html, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _headline(board: Leaderboard, tasks: Sequence[Task]) -> _Table:
    """Of each task the first metric."""
    blocks = [(cells.title(board, task), cells.quality(board, task)[0]) for task in tasks]
    return _Table("The first metric of each benchmark", cells.QUALITY, blocks)


def _all(board: Leaderboard, task: Task) -> _Table:
    blocks = [("", block) for block in cells.quality(board, task)]
    return _Table(cells.title(board, task), cells.QUALITY, blocks)


def _parts(board: Leaderboard, task: Task) -> _Table | None:
    rows = cells.of_parts(board, task)
    return _Table("By part", cells.QUALITY, [("", rows)]) if rows else None


def _cases(
    board: Leaderboard,
    workspace: Workspace,
    params: Params,
    scores: Mapping[str, Path],
    tasks: Sequence[Task],
) -> dict[str, list[cards.Side]]:
    """Title of a task -> its cases, where there is anything to compare."""
    found: dict[str, list[cards.Side]] = {}
    for side in cards.sides(workspace, params, scores, tasks) if len(scores) > 1 else []:
        found.setdefault(cells.title(board, side.task), []).append(side)
    return found


def _charts(
    board: Leaderboard, params: Params, scores: Mapping[str, Path]
) -> list[tuple[str, str]]:
    """`data:` address and alternative text of each chart."""
    with TemporaryDirectory() as folder:
        charts.draw(board, params, scores, Path(folder))
        pictures = {name: (Path(folder) / name).read_bytes() for name in charts.names(params)}
    return [
        (f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}", _CHARTS[name])
        for name, picture in pictures.items()
    ]
