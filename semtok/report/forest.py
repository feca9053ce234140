"""Many variants in one picture: a row a variant, a column a task, a dot with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from semtok.bench.cases import HEADLINES, RECALLS, Task, higher_is_better
from semtok.bench.comparison import Comparison, Row
from semtok.params import Params
from semtok.report.controls import is_control
from semtok.report.style import BASELINE, MUTED, PALETTE, picture
from semtok.report.told import COMPUTED, ORACLE, PREDICTED, told

_COLUMNS = 4  # panels side by side
_ROW = 0.19  # inches
#: How the names of groups of controls begin.
CONTROLS = "Controls"
_OUTSIDE = "Outside models"
_REGISTERED = "Registered versions"


def groups(params: Params, variants: Iterable[str]) -> dict[str, list[str]]:
    """What variants are listed under: what their tokens are and who found them; controls apart.

    Of controls only the oracles are told apart. Of registered versions nothing is known here.

    Args:
        params: all settings.
        variants: of which ones.
    """
    kinds = ("Patches", "Regions")
    found_by = ("", f", {COMPUTED}", f", {PREDICTED}", f", {ORACLE}")
    order = [f"{kind}{who}" for who in found_by for kind in kinds]
    order += [CONTROLS, f"{CONTROLS}, {ORACLE}", _REGISTERED]
    found: dict[str, list[str]] = {group: [] for group in order}
    for name in variants:
        if name not in params.variants:
            found[_REGISTERED].append(name)
            continue
        who = told(params, name)
        kind = kinds[params.variants[name].patch_size is None]
        settings = params.variants[name]
        if is_control(asdict(settings), params.tokenizers[settings.tokenizer]):
            kind, who = CONTROLS, who if who == ORACLE else ""
        found[f"{kind}, {who}" if who else kind].append(name)
    return {group: names for group, names in found.items() if names}


def outside(models: Sequence[str]) -> dict[str, list[str]]:
    """What models are listed under that were trained elsewhere: a group, or none."""
    return {_OUTSIDE: list(models)} if models else {}


def draw(
    found: Comparison, tasks: Sequence[Task], groups: Mapping[str, Sequence[str]], path: Path
) -> None:
    """Draw R@1, or the mean, of every variant on some tasks: by the first one, best first.

    Hollow markers: the verdict is open. The dotted line is the baseline, the dashed one chance.

    Args:
        found: all variants of the groups.
        tasks: at least one; those of one benchmark stand side by side.
        groups: title -> its variants.
        path: the `.png` file.
    """
    values = {(row.of, row.variant): row for row in found.rows if row.metric in HEADLINES}

    def value(name: str) -> float:
        row = values.get((tasks[0], name))  # a model trained elsewhere may not have been asked
        if row is None or row.value.estimate is None:
            return 0.0
        return row.value.estimate if higher_is_better(row.metric) else -row.value.estimate

    order = {group: sorted(names, key=value, reverse=True) for group, names in groups.items()}
    lines = _lines(tasks)
    columns = max(map(len, lines))
    height = 0.9 + _ROW * sum(len(names) + 1 for names in order.values())
    with picture(path, 2.2 + 2.5 * columns, height * len(lines) + 0.6) as figure:
        axes = figure.subplots(len(lines), columns, squeeze=False)
        for panels, line in zip(axes, lines, strict=True):
            for panel, task in zip(panels, line, strict=False):
                rows = {row.variant: row for (of, _), row in values.items() if of == task}
                _draw_task(panel, found, task, order, rows)
            for panel in panels[1:]:
                panel.tick_params(labelleft=False)
            for panel in panels[len(line) :]:
                panel.set_axis_off()
        note = [f"protocol {found.protocol}", f"{100 * found.confidence:g} % intervals"]
        note += [f"hollow: not told apart from {found.baseline} (Holm)", "dashed: chance"]
        note = [found.label, *note] if found.label else note
        said = "  ·  ".join(note)
        figure.suptitle(said, fontsize=9, fontweight="normal", color=MUTED, wrap=True)


def _lines(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks of one benchmark stand side by side, in several lines only where they fill more."""
    benchmarks = dict.fromkeys(task.benchmark for task in tasks)
    found: list[list[Task]] = [[]]
    for benchmark in benchmarks:
        own = [task for task in tasks if task.benchmark == benchmark]
        for part in (own[start : start + _COLUMNS] for start in range(0, len(own), _COLUMNS)):
            if len(found[-1]) + len(part) > _COLUMNS:
                found.append([])
            found[-1] += part
    return found


def _draw_task(
    panel: Axes,
    found: Comparison,
    task: Task,
    order: Mapping[str, Sequence[str]],
    rows: Mapping[str, Row],
) -> None:
    labels: list[tuple[float, str]] = []
    place = 0
    for colour, (group, names) in zip(cycle(PALETTE), order.items(), strict=False):
        labels.append((place, group))
        for name in names:
            place += 1
            labels.append((place, name))
            if name in rows:
                _draw_row(panel, rows[name], place, colour)
        place += 1
    panel.set_ylim(place - 0.4, -0.6)
    panel.set_yticks([each for each, _ in labels], [name for _, name in labels], fontsize=8)
    for tick in panel.get_yticklabels():
        if tick.get_text() in order:
            tick.set_fontweight("bold")
    panel.tick_params(axis="y", length=0)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.grid(visible=False, axis="y")
    panel.spines["left"].set_visible(False)
    baseline = rows[found.baseline].value.estimate if found.baseline in rows else None
    if baseline is not None:
        panel.axvline(baseline, color=BASELINE, linewidth=0.9, linestyle=":")
    metric = next(iter(rows.values())).metric
    if (chance := found.bounds[task].chance.get(metric)) is not None:
        panel.axvline(chance, color=MUTED, linewidth=0.9, linestyle="--")
    unit = "% of cases" if metric in RECALLS else "%"
    panel.set_xlabel(f"{metric.replace('_', ' ')}, {unit}", fontsize=9)
    name = task.task.replace("_", " ")
    panel.set_title(
        f"{task.benchmark.replace('_', ' ')}\n{name}\n{task.split}, {found.cases[task]:,} cases",
        fontsize=9,
    )


def _draw_row(panel: Axes, row: Row, y: float, colour: str) -> None:
    low, estimate, high = row.value.low, row.value.estimate, row.value.high
    assert low is not None and estimate is not None and high is not None  # these are finite
    baseline = row.verdict == "baseline"
    colour = BASELINE if baseline else colour
    panel.hlines(y, low, high, color=colour, linewidth=2, alpha=0.55)
    panel.plot(
        estimate,
        y,
        marker="D" if baseline else "o",
        markersize=5,
        markeredgewidth=1.4,
        color=colour,
        markerfacecolor="white" if row.verdict == "undecided" else colour,
    )
