"""What corruption costs an extractor: a panel for each score, a curve for each kind."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from semtok.extract.corruptions import CLEAN, KINDS
from semtok.report.style import PALETTE, picture

_PANELS = {
    "AP": "AP of masks, %",
    "AP50": "AP50 of masks, %",
    "R@20": "R@20 of relations, %",
    "mR@20": "mR@20 of relations, %",
}


def draw(scores: pa.Table, path: Path) -> None:
    """Draw each score over the severity of each kind of corruption, from the clean picture on.

    Args:
        scores: schema `EXTRACTION_SCORES`.
        path: the `.png` file.
    """
    with picture(path, 8.0, 5.6) as figure:
        panels = figure.subplots(2, 2, sharex=True).ravel()
        for panel, (name, title) in zip(panels, _PANELS.items(), strict=True):
            for kind, colour in zip(KINDS, PALETTE, strict=False):
                here = pc.is_in(scores["kind"], pa.array([CLEAN.kind, kind]))
                rows = scores.filter(here).sort_by("severity")
                panel.plot(
                    rows["severity"].to_numpy(),
                    100 * rows[name].to_numpy(),
                    "o-",
                    color=colour,
                    markersize=4,
                    label=kind,
                )
            panel.set_title(title, fontsize=9)
            panel.set_ylim(bottom=0)
            panel.set_xticks(sorted(set(scores["severity"].to_pylist())))
        for panel in panels[2:]:
            panel.set_xlabel("severity; 0: the picture as it is", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
