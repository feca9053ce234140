"""The charts of the page."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter

from semtok.bench import guessing, protocol
from semtok.bench.cases import Task
from semtok.bench.comparison import Comparison, rows_of
from semtok.bench.intervals import Resampled
from semtok.report import curve_grid, forest
from semtok.report.study import tables
from semtok.report.study.published import METRIC, Published
from semtok.report.study.questions import LADDER, SQUARES
from semtok.report.study.tables import Found
from semtok.report.style import BASELINE, MUTED, PALETTE, picture
from semtok.report.told import ORACLE

_REGIONS = f"regions, {ORACLE}"
_RUNGS = {
    "patches": ("vit_4", "vit_9", "vit_16", "vit_36", "vit"),
    _REGIONS: ("regions_4", "regions_8", "regions"),
}
_COLOURS = {"patches": BASELINE, _REGIONS: PALETTE[1]}

#: Names of more variants would lie on one another.
_ALL_NAMED = 6


def draw(published: Published, found: Found, folder: Path) -> set[str]:
    """Draw what the scored variants allow.

    Returns:
        The names of the pictures that were drawn, without `.png`.
    """
    drawn = set()
    scored = set(published.scores)
    if published.params.bench.baseline in scored and len(scored) > 1:
        _variants(published, found, folder / "variants.png")
        curve_grid.draw(_mean_curves(published), folder / "curves.png")
        drawn |= {"variants", "curves"}
    if all(len(scored & set(rungs)) > 1 for rungs in _RUNGS.values()):
        _tokens(published, found, folder / "tokens.png")
        drawn.add("tokens")
    if any(set(names) <= scored for names in SQUARES.values()):
        _two_by_two(published, found, folder / "two_by_two.png")
        drawn.add("two_by_two")
    if len(scored) > 1:
        _flops(published, found, folder / "flops.png")
        drawn.add("flops")
    return drawn


def _variants(published: Published, found: Found, path: Path) -> None:
    first = published.params.bench.baseline
    bench = published.params.bench
    scores = published.scores[first]
    rows = [
        row
        for task, values in found.items()
        for row in rows_of(task, METRIC, values, bench.confidence)
    ]
    comparison = Comparison(
        baseline=first,
        seeds=published.seeds,
        cases={task: len(scores[task].case_ids) for task in found},
        bounds={task: guessing.bounds(scores[task]) for task in found},
        rows=tuple(rows),
        resamples=bench.bootstrap,
        confidence=bench.confidence,
        protocol=protocol.VERSION,
        label=published.label,
    )
    groups = forest.groups(published.params, published.scores)
    forest.draw(comparison, list(found), groups, path)


def _mean_curves(published: Published) -> dict[str, pa.Table]:
    """The history of each variant, the mean over its seeds; oracles are marked."""
    curves = {}
    for name, histories in published.histories.items():
        means = (
            pa.concat_tables(histories)
            .group_by(["step", "name"], use_threads=False)
            .aggregate([("value", "mean")])
        )
        curves[f"{name}, {ORACLE}" if name in published.oracles else name] = means.rename_columns(
            ["step", "name", "value"]
        )
    return curves


def _tokens(published: Published, found: Found, path: Path) -> None:
    """R@1 over the mean number of tokens, patches and regions."""
    confidence = published.params.bench.confidence
    with picture(path, 3.4 * len(found), 3.4) as figure:
        panels = figure.subplots(1, len(found), squeeze=False)[0]
        for panel, (task, values) in zip(panels, found.items(), strict=True):
            for kind, rungs in _RUNGS.items():
                names = [name for name in rungs if name in values]
                places = [published.costs[name].tokens_per_image for name in names]
                _line(panel, places, [values[name] for name in names], confidence, kind)
            _logarithmic(panel, "tokens of an image, mean")
            panel.set_title(_title(task), fontsize=9)
        panels[0].set_ylabel(f"{METRIC}, %")
        panels[0].legend(fontsize=8)


def _line(
    panel: Axes, places: list[float], values: list[Resampled], confidence: float, kind: str
) -> None:
    colour = _COLOURS[kind]
    panel.plot(places, [each.estimate for each in values], "o-", color=colour, label=kind)
    for place, each in zip(places, values, strict=True):
        interval = each.interval(confidence)
        assert interval.low is not None and interval.high is not None  # recalls are finite
        panel.vlines(place, interval.low, interval.high, color=colour, linewidth=2, alpha=0.45)


def _two_by_two(published: Published, found: Found, path: Path) -> None:
    """The first task: relations off and on, a line each for patches and regions."""
    confidence = published.params.bench.confidence
    task, values = next(iter(found.items()))
    told = {how: names for how, names in SQUARES.items() if set(names) <= set(values)}
    with picture(path, 2.9 * len(told) + 0.6, 3.0) as figure:
        panels = figure.subplots(1, len(told), squeeze=False, sharey=True)[0]
        for panel, (how, (none, row, column, both)) in zip(panels, told.items(), strict=True):
            for kind, pair in (("patches", (none, column)), (_REGIONS, (row, both))):
                _line(panel, [0, 1], [values[name] for name in pair], confidence, kind)
            panel.set_xticks([0, 1], ["relations off", how])
            panel.set_xlim(-0.3, 1.3)
        panels[0].set_ylabel(f"{METRIC}, %")
        panels[0].legend(fontsize=8)
        note = f"{_title(task)}  ·  patches that are told of relations: {ORACLE}"
        figure.suptitle(note, fontsize=9, fontweight="normal", color=MUTED)


def _flops(published: Published, found: Found, path: Path) -> None:
    """R@1 over FLOPs; of many are named the ladder of patches and what nothing cheaper beats."""
    groups = forest.groups(published.params, published.scores)
    with picture(path, 4.6 * min(2, len(found)), 3.8) as figure:
        shown = list(found.items())[:2]
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for panel, (task, values) in zip(panels, shown, strict=True):
            flops = {name: published.costs[name].flops_per_image / 1e6 for name in values}
            ladder = sorted((name for name in LADDER if name in values), key=lambda n: flops[n])
            panel.plot(
                [flops[name] for name in ladder],
                [values[name].estimate for name in ladder],
                color=BASELINE,
                linewidth=1,
                zorder=1,
            )
            for colour, (group, names) in zip(cycle(PALETTE), groups.items(), strict=False):
                heights = [values[name].estimate for name in names]
                places = [flops[name] for name in names]
                kind = "x" if group.startswith(forest.CONTROLS) else "o"
                panel.plot(places, heights, kind, markersize=5, color=colour, label=group)
            # Neighbours on the ladder are near each other: one is named above, one below.
            told = values if len(values) <= _ALL_NAMED else _unbeaten(flops, values)
            above = dict.fromkeys(told, True)
            above |= {name: number % 2 == 0 for number, name in enumerate(ladder)}
            for name, up in above.items():
                panel.annotate(
                    name,
                    (flops[name], values[name].estimate),
                    xytext=(4, 4 if up else -10),
                    textcoords="offset points",
                    fontsize=7,
                )
            panel.margins(x=0.1, y=0.1)
            _logarithmic(panel, "MFLOPs of an image")
            panel.set_title(_title(task), fontsize=9)
        panels[0].set_ylabel(f"{METRIC}, %")
        panels[0].legend(fontsize=8)


def _unbeaten(flops: Mapping[str, float], values: Mapping[str, Resampled]) -> list[str]:
    """The variants that score more than all that cost no more."""
    found: list[str] = []
    for name in sorted(flops, key=lambda each: (flops[each], -values[each].estimate)):
        if not found or values[name].estimate > values[found[-1]].estimate:
            found.append(name)
    return found


def _logarithmic(panel: Axes, label: str) -> None:
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.xaxis.set_minor_formatter(NullFormatter())
    low, high = panel.get_xlim()
    ticks = [base * 10**power for power in range(-3, 6) for base in (1, 2, 5)]
    panel.set_xticks([each for each in ticks if low <= each <= high])
    panel.set_xlabel(label)


def _title(task: Task) -> str:
    return f"{tables.name(task)}, {task.split}"
