"""How all pictures look: colours that colour-blind people tell apart, plain axes, stable bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

#: Okabe and Ito (2008), without black and with yellow last: it is weak on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")
BASELINE = "#4D4D4D"

#: As many variants as colours tell apart, the baseline's grey among them.
FEW = len(PALETTE) + 1

MUTED = "#6B6B6B"
FAINT = "#E3E3E3"

_SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.08,  # inches
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.parse_math": False,  # a $ in a category's name is a dollar
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def colours(variants: Sequence[str]) -> dict[str, str]:
    """One colour a variant, the same in every picture that is given the same variants.

    Args:
        variants: their names, the baseline first: it is grey.
    """
    first, *others = variants
    return {first: BASELINE} | {
        name: PALETTE[number % len(PALETTE)] for number, name in enumerate(others)
    }


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Give a figure to draw on; save it as a PNG whose bytes depend on what was drawn alone.

    Args:
        path: the `.png` file.
        width: inches.
        height: inches.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), dpi=144, layout="constrained")
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        # An older picture survives where this one cannot be written whole.
        partial = path.with_name(f"{path.name}.partial")
        try:
            figure.savefig(partial, format="png", metadata={"Software": None})
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
