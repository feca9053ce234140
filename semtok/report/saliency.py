"""What TokenCut finds in images: the eigenvector as heat, its mask, and the true one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semtok.bench.overlap import overlap
from semtok.bench.segmentation import Look
from semtok.report.style import picture


def draw(looks: Sequence[Look], path: Path) -> None:
    """Draw a column for each image: it, the eigenvector, the mask with its IoU, the true mask.

    Args:
        looks: at least one.
        path: the `.png` file.
    """
    titles = ("image", "eigenvector", "mask", "true mask")
    with picture(path, 1.6 * len(looks) + 0.4, 1.75 * len(titles)) as figure:
        grid = figure.subplots(len(titles), len(looks), squeeze=False)
        for panels, each in zip(grid.T, looks, strict=True):
            panels[0].imshow(each.pixels)
            panels[1].imshow(each.heat, cmap="inferno", vmin=0, vmax=1, interpolation="nearest")
            for panel, mask in zip(panels[2:], (each.mask, each.truth), strict=True):
                panel.imshow(np.where(mask[..., None], each.pixels, 0))
            panels[0].set_title(Path(each.name).stem, fontsize=7, loc="center")
            iou = overlap(each.mask, each.truth).iou
            panels[2].set_title(f"IoU {100 * iou:.0f} %", fontsize=7, loc="center")
        for panel in grid.ravel():
            panel.set(xticks=[], yticks=[])
            for spine in panel.spines.values():
                spine.set_visible(False)
        for panel, title in zip(grid[:, 0], titles, strict=True):
            panel.set_ylabel(title, fontsize=8)
