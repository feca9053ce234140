"""The leaderboard as a picture: recalls and means with their intervals, beside the baseline's."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from semtok.bench.cases import MEAN, MEAN_LOSS, RECALLS, Task
from semtok.bench.comparison import OUTSIDE, Comparison, Row, final_tasks
from semtok.bench.leaderboard import Leaderboard
from semtok.report.style import MUTED, colours, picture

_COLUMNS = 4  # panels side by side
_WIDTH = 10.8  # inches of all of them, unless they need more
_MARKERS = {"baseline": "D", OUTSIDE: "s"}


def draw(board: Leaderboard, path: Path) -> None:
    """Draw one panel a task of the final split: recalls, or the mean, of all variants.

    A marker is hollow where the paired interval does not tell the variant from the baseline.

    Args:
        board: what to draw.
        path: the `.png` file.
    """
    found = board.comparison
    tasks = [task for task in final_tasks(found) if not _is_sum(found, task)]
    columns = min(_COLUMNS, len(tasks))
    rows = -(-len(tasks) // columns)
    told = [len(_metrics(found, task)) for task in tasks]
    heights = [
        0.9 + 0.26 * max(told[row * columns : (row + 1) * columns]) * (len(found.names) + 1)
        for row in range(rows)
    ]
    with picture(path, max(_WIDTH / columns, 3.4) * columns, sum(heights) + 1.1) as figure:
        axes = figure.subplots(
            rows, columns, squeeze=False, sharex="row", gridspec_kw={"height_ratios": heights}
        )
        for panel, task in zip(axes.ravel(), tasks, strict=False):
            _draw_task(panel, found, task)
        for line in axes:  # once all of a row are drawn: they share their scale
            line[0].set_xlim(left=min(0, *(panel.dataLim.x0 for panel in line)))
        for panel in axes.ravel()[len(tasks) :]:
            panel.set_axis_off()
        notes = [
            f"protocol {found.protocol}",
            f"{100 * found.confidence:g} % intervals",
            f"hollow: not told apart from {found.baseline}",
        ]
        notes = [found.label, *notes] if found.label else notes
        figure.suptitle("  ·  ".join(notes), fontsize=9, fontweight="normal", color=MUTED)
        handles = [_handle(name, colour, found) for name, colour in _palette(found).items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _draw_task(panel: Axes, found: Comparison, task: Task) -> None:
    palette = _palette(found)
    told = len({row.variant for row in found.rows if row.of == task})
    block = told + 1
    metrics = _metrics(found, task)
    for number, metric in enumerate(metrics):
        rows = [row for row in found.rows if (row.of, row.metric) == (task, metric)]
        for place, row in enumerate(rows):
            _draw_row(panel, row, number * block + place, palette[row.variant], len(rows))
    middles = [number * block + (told - 1) / 2 for number in range(len(metrics))]
    panel.set_yticks(middles, [metric.replace("_", " ") for metric in metrics])
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=False, axis="y")
    panel.spines["left"].set_visible(False)
    panel.invert_yaxis()
    panel.set_xlabel("% of cases" if metrics[0] in RECALLS else "%")
    name = f"{task.benchmark}: {task.task.replace('_', ' ')}"
    panel.set_title(f"{name}\n{task.split}, {found.cases[task]:,} cases", fontsize=10)


def _is_sum(found: Comparison, task: Task) -> bool:
    """Whether a mean exceeds 100 %, as a sum of recalls does; shares beside it were squeezed."""
    means = [row.value.estimate for row in found.rows if (row.of, row.metric) == (task, MEAN)]
    return any(value is not None and value > 100 for value in means)


def _metrics(found: Comparison, task: Task) -> list[str]:
    told = {row.metric for row in found.rows if row.of == task}
    return [metric for metric in (*RECALLS, MEAN, MEAN_LOSS) if metric in told]


def _draw_row(panel: Axes, row: Row, y: float, colour: str, variants: int) -> None:
    low, estimate, high = row.value.low, row.value.estimate, row.value.high
    assert low is not None and estimate is not None and high is not None  # these are finite
    panel.hlines(y, low, high, color=colour, linewidth=2.5, alpha=0.55)
    panel.plot(
        estimate,
        y,
        marker=_MARKERS.get(row.verdict, "o"),
        markersize=6.5,
        markeredgewidth=1.6,
        color=colour,
        markerfacecolor="white" if row.verdict == "undecided" else colour,
        clip_on=False,
    )
    if row.verdict == "baseline":
        reach = (y - 0.5, y + variants - 0.5)
        panel.vlines(estimate, *reach, color=colour, linewidth=0.8, linestyle=":")


def _palette(found: Comparison) -> dict[str, str]:
    return colours(found.names)


def _handle(variant: str, colour: str, found: Comparison) -> Line2D:
    kind = {found.baseline: "baseline"} | dict.fromkeys(found.outside, OUTSIDE)
    name = f"{variant} ({kind[variant]})" if variant in kind else variant
    marker = _MARKERS.get(kind.get(variant, ""), "o")
    return Line2D([], [], linestyle="none", marker=marker, color=colour, label=name)
