"""Pictures of what comes through a channel: curves over the rate, and the images themselves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes

from semtok.bench.transmission import JPEG, MEASURES, RATES, SNRS, Drawn, at
from semtok.models.transmission import CHOICES
from semtok.report.style import BASELINE, MUTED, PALETTE, picture

_LABELS = dict(zip(MEASURES, ("PSNR, dB", "SSIM", "accuracy, %"), strict=True))
_COLOURS = dict(zip((*CHOICES, JPEG), (*PALETTE, BASELINE), strict=False))

#: Which signal-to-noise ratio the images are shown at.
_SHOWN_SNR = 10.0

#: The rate and ratio whose numbers are shown beside them.
SHOWN = at(0.25, _SHOWN_SNR)


def draw(table: pa.Table, path: Path) -> None:
    """Draw each measure over the bits of the link, a column for each signal-to-noise ratio.

    Args:
        table: schema `RATE_DISTORTION`.
        path: the `.png` file.
    """
    known = [name for name in _LABELS if not table[name].null_count]
    with picture(path, 3.2 * len(SNRS), 2.3 * len(known) + 0.5) as figure:
        axes = figure.subplots(len(known), len(SNRS), squeeze=False, sharey="row", sharex="col")
        for column, snr in enumerate(SNRS):
            at_snr = table.filter(pc.equal(table["snr"], snr)).sort_by("rate")
            for row, name in enumerate(known):
                _draw(axes[row, column], at_snr, name)
            axes[0, column].set_title(f"{snr:g} dB")
            axes[-1, column].set_xlabel("bits of the link, an image")
        for row, name in enumerate(known):
            axes[row, 0].set_ylabel(_LABELS[name])
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def draw_pictures(originals: npt.NDArray[np.uint8], drawn: Sequence[Drawn], path: Path) -> None:
    """Draw images as they are and as they arrive: a row an image and choice, a column a rate.

    Args:
        originals: [B, H, W, 3].
        drawn: of the same images, at all rates and ratios.
        path: the `.png` file.
    """
    found = {(each.choice, each.rate): each for each in drawn if each.snr == _SHOWN_SNR}
    rows = [(image, choice) for image in range(len(originals)) for choice in _COLOURS]
    with picture(path, 1.1 * (1 + len(RATES)) + 0.6, 1.1 * len(rows) + 0.4) as figure:
        axes = figure.subplots(len(rows), 1 + len(RATES), squeeze=False)
        for panel in axes.ravel():
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_visible(False)
        for row, (image, choice) in enumerate(rows):
            axes[row, 0].imshow(originals[image])
            axes[row, 0].set_ylabel(choice, color=MUTED, fontsize=8)
            for column, rate in enumerate(RATES, 1):
                axes[row, column].imshow(found[choice, rate].pictures[image].cpu().numpy())
        for column, words in enumerate(("image", *(f"{100 * rate:g} %" for rate in RATES))):
            axes[0, column].set_title(words, fontsize=8)


def _draw(panel: Axes, table: pa.Table, name: str) -> None:
    for choice, colour in _COLOURS.items():
        rows = table.filter(pc.equal(table["choice"], choice))
        bits, values = rows["bits"].to_numpy(), rows[name].to_numpy()
        panel.plot(bits, values, "o-", color=colour, markersize=3.5, linewidth=1.4, label=choice)
