"""What removing tokens does to a model's choice, and which tokens attributions put first."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from semtok.bench.faithfulness import Explained
from semtok.bench.removal import LIME, RANDOM, SHARES, Removal
from semtok.report.placed import NOBODY, Owners, placed
from semtok.report.style import BASELINE, PALETTE, picture

#: Lines of what attributions are held against, in grey.
_BASELINES = {RANDOM: "o--", LIME: "s:"}


def draw(found: Explained, patch_size: int | None, path: Path) -> None:
    """Draw curves of all images together, and some images with what each attribution says of them.

    Red tokens count for more than the median of those that are seen, by rank, blue ones for less.

    Args:
        found: by one training of a variant.
        patch_size: as of `placed`.
        path: the `.png` file.
    """
    names, count = [*found.values], len(found.rows.image_ids)
    columns = 1 + len(names)
    with picture(path, 1.7 * columns, 4.0 + 1.75 * count) as figure:
        grid = figure.add_gridspec(2, 1, height_ratios=(3.6, 1.75 * count))
        above, below = (figure.add_subfigure(grid[each]) for each in (0, 1))
        _draw_curves(above.subplots(1, 2, sharey=True), found.removal)
        panels = below.subplots(count, columns, squeeze=False)
        pictures = placed(found.rows, patch_size)
        for image, (row, (shown, owners)) in enumerate(zip(panels, pictures, strict=True)):
            row[0].imshow(shown)
            row[0].set_title(str(found.rows.image_ids[image]), fontsize=8)
            for panel, name in zip(row[1:], names, strict=True):
                heat = _heat(found.values[name][image], owners)
                panel.imshow(shown.mean(axis=2), cmap="gray", vmin=0, vmax=255)
                panel.imshow(heat, cmap="coolwarm", vmin=0, vmax=1, alpha=0.65)
                panel.set_title(name.replace("_", " ") if image == 0 else "", fontsize=8)
            for panel in row:
                panel.set_axis_off()


def _draw_curves(panels: Sequence[Axes], found: Removal) -> None:
    """The mean probability of the choice over the share of tokens that were removed or kept."""
    shares = [100 * each for each in SHARES]
    own = [each for each in found.without if each not in _BASELINES]
    colours = dict(zip(own, PALETTE, strict=False)) | dict.fromkeys(_BASELINES, BASELINE)
    sides = (("removed", found.without, 0.0), ("kept alone", found.alone, 100.0))
    for panel, (title, curves, whole) in zip(panels, sides, strict=True):
        for name, curve in curves.items():
            means = [*curve.mean(axis=1), found.whole.mean()]
            at, height = zip(*sorted(zip([*shares, whole], means, strict=True)), strict=True)
            style = _BASELINES.get(name, "o-")
            label = name.replace("_", " ")
            panel.plot(at, height, style, color=colours[name], markersize=3.5, label=label)
        panel.set_title(f"the first tokens {title}", fontsize=10)
        panel.set_xlabel("tokens, %")
    panels[0].set_ylabel("probability of its choice")
    panels[0].set_ylim(bottom=0)
    panels[1].legend(fontsize=8, loc="lower right")


def _heat(values: npt.NDArray[np.float64], owners: Owners) -> npt.NDArray[np.float64]:
    """The rank of each pixel's token among those that are seen, 0..1; NaN where there is none."""
    seen = np.unique(owners[owners != NOBODY])
    ranks = np.full(owners.max() + 2, np.nan)  # the last one is that of `NOBODY`
    ranks[seen] = _ranks(values[seen])
    return ranks[owners]


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Places of values among one another, 0 for the lowest to 1 for the highest."""
    places = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(places / max(1, len(values) - 1), np.float64)
