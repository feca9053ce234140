"""Curves of many trainings: a little panel for each, with the baseline's behind it in grey."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from semtok.report.style import BASELINE, MUTED, PALETTE, picture

_RECALL = {
    "val/text_to_image_r1": ("text to image", "-"),
    "val/image_to_text_r1": ("image to text", "--"),
    "val/accuracy": ("class of image", "-"),
}
_COLUMNS = 2, 5  # at least, for the title; and at most
_TITLE, _LETTERS = 9, 22  # points of a panel's title, and how many letters of them it is wide


def draw(histories: Mapping[str, pa.Table], path: Path) -> None:
    """Draw the validation recall of each training over its steps, all to one scale.

    Args:
        histories: name of a training -> its `history.parquet`: columns step, name, value; the
            baseline's first.
        path: the `.png` file.
    """
    (baseline, behind), *others = histories.items()
    least, most = _COLUMNS
    columns = min(max(least, len(others)), most)
    lines = -(-len(others) // columns)
    with picture(path, 2.1 * columns, 1.5 * lines + 0.8) as figure:
        axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        panels = axes.ravel()
        for panel, (name, history) in zip(panels, others, strict=False):
            _draw(panel, behind, BASELINE, 0.5)
            _draw(panel, history, PALETTE[0], 1.0)
            _set_title(panel, name)
            panel.tick_params(labelsize=8)
        for panel in panels[len(others) :]:
            panel.set_axis_off()
        for panel in panels[max(0, len(others) - columns) : len(others)]:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("step", fontsize=8, color=MUTED)
        axes[0, 0].set_ylim(bottom=0)
        title = f"R@1 on a part of val, %; grey: {baseline}"
        figure.suptitle(title, fontsize=9, fontweight="normal", color=MUTED)
        told = {name for each in histories.values() for name in each["name"].to_pylist()}
        handles = [
            Line2D([], [], color=PALETTE[0], ls=style, label=words)
            for name, (words, style) in _RECALL.items()
            if name in told
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _set_title(panel: Axes, name: str) -> None:
    """Name a panel, within its width: a long name on two lines (`NAME, oracle`), and smaller."""
    title = name.replace(", ", "\n") if len(name) > _LETTERS else name
    longest = max(map(len, title.split("\n")))
    panel.set_title(title, fontsize=_TITLE * min(1, _LETTERS / longest))


def _draw(panel: Axes, history: pa.Table, colour: str, alpha: float) -> None:
    for name, (_, style) in _RECALL.items():
        rows = history.filter(pc.equal(history["name"], name)).sort_by("step")
        if not rows.num_rows:  # of another kind of model
            continue
        steps, values = rows["step"].to_numpy(), 100 * rows["value"].to_numpy()
        panel.plot(
            steps,
            values,
            style,
            color=colour,
            alpha=alpha,
            linewidth=1.4,
            marker="o" if len(steps) < 10 else None,
            markersize=2.5,
        )
