"""The leaderboard as text: for the terminal and as Markdown."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from semtok.bench.cases import METRICS, PART, Task
from semtok.bench.comparison import Comparison, Row, final_tasks
from semtok.bench.intervals import Interval
from semtok.bench.leaderboard import Leaderboard

_QUALITY = ("", "variant", "value", "points", "relative gain, %", "verdict")
_IN_FILES = (*_QUALITY[:-1], "p (Holm)", "verdict")  # a terminal has no room for it
_COSTS = (
    *("variant", "tokens", "blocks", "embeddings", "bias", "MFLOPs"),
    *("extraction", "training", "rate"),
)
_COSTS_MEAN = (
    "Tokens: of an image, on average. Blocks, embeddings, bias: parameters of the vision side. "
    "MFLOPs: of encoding one image. Extraction: MFLOPs of the models that find masks and relations "
    "in it; empty where annotations or nothing is read. Training: of one seed, by the clock. "
    "Rate: the learning rate at its highest."
)
_VERDICTS = {"better": "green", "worse": "red"}
_SHORT = {"median_rank": "MedR"}


def render(board: Leaderboard) -> RenderableType:
    """The leaderboard of the final split, for a terminal of 100 columns."""
    tables = [
        _table(_QUALITY, _title(board, task), _without_p(_quality(board, task)))
        for task in final_tasks(board.comparison)
    ]
    return Group(
        *(Text(line) for line in _notes(board)),
        *(part for table in tables for part in (Text(), table)),
        Text(),
        _table(_COSTS, "Costs", [list(_costs(board))]),
        Text(_COSTS_MEAN, "dim"),
    )


def write(board: Leaderboard, path: Path) -> None:
    """Write the leaderboard of all splits as Markdown."""
    parts = ["# Leaderboard", *_notes(board)]
    for task in board.comparison.cases:
        if not task.is_part:
            rows = [row for block in _quality(board, task) for row in block]
            parts += [f"## {_title(board, task)}", _markdown(_IN_FILES, rows)]
            if rows := _of_parts(board, task):
                parts += ["By part:", _markdown(_IN_FILES, rows)]
    parts += ["## Costs", _markdown(_COSTS, list(_costs(board))), _COSTS_MEAN]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _notes(board: Leaderboard) -> list[str]:
    """What a reader has to know before the first number."""
    found = board.comparison
    seeds = ", ".join(f"{name} {count}" for name, count in found.seeds.items())
    lines = [
        f"Protocol {found.protocol}. Trainings (seeds): {seeds}.",
        f"In brackets: {100 * found.confidence:g} % intervals, {found.resamples} bootstrap "
        f"resamples; points and gains are against {found.baseline}, paired. R@K in % (higher is "
        "better); MedR: median rank (lower is better).",
        _verdicts(found),
    ]
    return [f"{found.label[0].upper()}{found.label[1:]}.", *lines] if found.label else lines


def _verdicts(found: Comparison) -> str:
    """What a verdict rests on; with one comparison a metric there is nothing to correct."""
    level, others = 1 - found.confidence, len(found.seeds) - 1
    told = f"Verdicts: two-sided p-value of the paired bootstrap at most {level:.2g}"
    if others > 1:
        told += f", by Holm's correction for the {others} variants of each metric"
    if not found.resamples_suffice:
        told += f"; {found.resamples} resamples are too few for any: raise bench.bootstrap"
    return f"{told}."


def _title(board: Leaderboard, task: Task) -> str:
    cases = board.comparison.cases[task]
    return f"{task.benchmark}, {task.split}: {task.task.replace('_', ' ')}, {cases} cases"


def _quality(board: Leaderboard, task: Task) -> list[list[Sequence[str]]]:
    """For each metric the cells of all variants."""
    rows = [row for row in board.comparison.rows if row.of == task]
    return [
        [_cells(row) for row in rows if row.metric == metric] + _bounds(board, task, metric)
        for metric in METRICS
        if any(row.metric == metric for row in rows)
    ]


def _without_p(blocks: list[list[Sequence[str]]]) -> list[list[Sequence[str]]]:
    place = _IN_FILES.index("p (Holm)")
    return [[(*row[:place], *row[place + 1 :]) for row in block] for block in blocks]


def _of_parts(board: Leaderboard, whole: Task) -> list[Sequence[str]]:
    """The cells of a task's parts; the first says which part, how many cases and which metric."""
    rows: list[Sequence[str]] = []
    for task, cases in board.comparison.cases.items():
        if task.is_part and task.whole == whole:
            name = f"{task.task.removeprefix(whole.task + PART)} ({cases})"
            cells = [row for block in _quality(board, task) for row in block]
            rows += [(f"{name} {metric}", *rest) for metric, *rest in cells]
    return rows


def _cells(row: Row) -> Sequence[str]:
    return (
        _SHORT.get(row.metric, row.metric),
        row.variant,
        _interval(row.value, "{:.1f}"),
        _interval(row.points, "{:+.1f}"),
        _interval(row.relative, "{:+.0f}"),
        "" if row.p_adjusted is None else f"{row.p_adjusted:.3f}",
        row.verdict,
    )


def _bounds(board: Leaderboard, task: Task, metric: str) -> list[Sequence[str]]:
    """What stands below the variants: between what their values can lie."""
    bounds = board.comparison.bounds[task]
    known = {
        "chance": bounds.chance,
        "words alone": bounds.blind,
        "perfect observer": bounds.ceiling,
    }
    return [
        (_SHORT.get(metric, metric), name, f"{values[metric]:.1f}", "", "", "", "")
        for name, values in known.items()
        if values is not None
    ]


def _interval(interval: Interval | None, form: str) -> str:
    if interval is None:
        return ""
    ends = (interval.estimate, interval.low, interval.high)
    estimate, low, high = ("∞" if each is None else form.format(each) for each in ends)
    return f"{estimate} [{low}, {high}]"


def _costs(board: Leaderboard) -> Iterator[Sequence[str]]:
    for name, each in board.costs.items():
        yield (
            name,
            f"{each.tokens_per_image:.1f}",
            f"{each.parameters.blocks:,}",
            f"{each.parameters.embeddings:,}",
            f"{each.parameters.bias:,}",
            f"{each.flops_per_image / 1e6:,.0f}",
            f"{each.extraction.flops_per_image / 1e6:,.0f}" if each.extraction else "",
            f"{each.training_seconds:,.0f} s",
            f"{each.learning_rate:g}",
        )


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
        table.add_column(column, justify="left" if column in _LEFT else "right")
    for rows in blocks:
        for number, (first, *others) in enumerate(rows):
            repeated = number > 0 and first == rows[number - 1][0]
            last = Text(others[-1], _VERDICTS.get(others[-1], ""))
            table.add_row("" if repeated else first, *others[:-1], last)
        table.add_section()
    return table


_LEFT = ("", "variant", "verdict")


def _markdown(columns: Sequence[str], rows: list[Sequence[str]]) -> str:
    rules = (":--" if column in _LEFT else "--:" for column in columns)
    lines = (f"| {' | '.join(cells)} |" for cells in (columns, tuple(rules), *rows))
    return "\n".join(lines)
