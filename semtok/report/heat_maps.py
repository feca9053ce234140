"""Where models look: their attention as heat over images, models side by side."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm

from semtok.bench.background import HeatMaps
from semtok.report.style import picture


def draw(found: Mapping[str, HeatMaps], path: Path) -> None:
    """Draw a row for each image: it, its foreground, and the heat maps of each model.

    Heat is scaled to the largest value of each map, and its square root is shown, so that little
    attention is seen too; what gets none is black.

    Args:
        found: by model, all of the same images.
        path: the `.png` file.
    """
    first = next(iter(found.values()))
    columns = 2 + 2 * len(found)
    with picture(path, 1.5 * columns, 1.6 * len(first.pixels) + 0.5) as figure:
        grid = figure.subplots(len(first.pixels), columns, squeeze=False)
        for image, row in enumerate(grid):
            pixels = first.pixels[image]
            covered = _enlarged(first.foreground[image], len(pixels))
            row[0].imshow(pixels)
            row[1].imshow(np.where(covered[..., None], pixels, 0))
            maps = [each for one in found.values() for each in (one.last_block, one.rollout)]
            for panel, heat in zip(row[2:], maps, strict=True):
                panel.imshow(
                    heat[image],
                    cmap="inferno",
                    norm=PowerNorm(0.5, vmin=0, vmax=heat[image].max()),
                    interpolation="nearest",
                )
            for panel in row:
                panel.set_axis_off()
        kinds = ("last block", "rollout")
        titles = ["image", "foreground", *(f"{name}\n{kind}" for name in found for kind in kinds)]
        for panel, title in zip(grid[0], titles, strict=True):
            panel.set_title(title, fontsize=7, loc="center")


def _enlarged(grid: np.ndarray, size: int) -> np.ndarray:
    """A grid of patches [s, s] as pixels [size, size]."""
    place = np.arange(size) * len(grid) // size
    return np.asarray(grid[np.ix_(place, place)])
