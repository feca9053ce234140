"""Curves of one training or several: the loss, and recall on the validation split."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes

from semtok.report.style import PALETTE, colours, picture

_LOSS = {"loss": "training", "val/loss": "validation"}
_RECALL = {
    "val/text_to_image_r1": "text to image",
    "val/image_to_text_r1": "image to text",
    "val/accuracy": "class of image",
}
_STYLES = ("-", "--")


def draw(histories: Mapping[str, pa.Table], path: Path) -> None:
    """Draw loss and validation recall over training steps.

    Args:
        histories: name of a training -> its `history.parquet`: columns step, name, value; of
            several, the baseline's first.
        path: the `.png` file.
    """
    with picture(path, 9.0, 3.4) as figure:
        losses, recalls = figure.subplots(1, 2)
        _draw(losses, histories, _LOSS, scale=1)
        losses.set_title("Loss, nats")
        _draw(recalls, histories, _RECALL, scale=100)
        recalls.set_title("R@1 on a part of val, %")
        recalls.set_ylim(bottom=0)


def _draw(
    panel: Axes, histories: Mapping[str, pa.Table], names: Mapping[str, str], scale: float
) -> None:
    alone = dict.fromkeys(histories, PALETTE[0])
    palette = colours(list(histories)) if len(histories) > 1 else alone
    for training, history in histories.items():
        told = set(history["name"].to_pylist())
        shown = {name: words for name, words in names.items() if name in told}
        for (name, words), line in zip(shown.items(), _STYLES, strict=False):
            rows = history.filter(pc.equal(history["name"], name)).sort_by("step")
            panel.plot(
                rows["step"].to_numpy(),
                scale * rows["value"].to_numpy(),
                line,
                color=palette[training],
                # A curve of a few points shows where they are.
                marker="o" if rows.num_rows < 10 else None,
                markersize=4,
                label=f"{training}, {words}" if len(histories) > 1 else words,
            )
    panel.set_xlabel("step")
    panel.legend(fontsize=8, handlelength=3)
