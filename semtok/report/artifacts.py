"""The artifact report as a picture, and as lines of text."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, NullFormatter

from semtok.bench.artifacts import Artifacts, of_training, reads
from semtok.bench.probes import Probed
from semtok.report.placed import placed
from semtok.report.style import BASELINE, FAINT, PALETTE, picture
from semtok.train import checkpoint

_NORMAL, _OUTLIER = BASELINE, PALETTE[1]

_NAME = "artifacts.png"

#: Images in which the norms of tokens that are no whole grid are shown.
_IMAGES = 4


def draw_first(name: str, training: Path, shards: Path, folder: Path) -> tuple[str, ...]:
    """Draw the report of one training, on the first images of some token shards.

    Args:
        name: of its variant.
        training: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        folder: where the picture goes.

    Returns:
        The picture's name; nothing where there are no registers, or gates drop tokens.
    """
    trained = checkpoint.load(training)
    vision = trained.model.config.vision
    if not vision.registers or vision.gates or not reads(trained):
        return ()
    draw(of_training(training, shards), name, folder / _NAME)
    return (_NAME,)


def draw(found: Artifacts, name: str, path: Path) -> None:
    """Draw the histogram of norms and the map of where outliers are.

    Below, where tokens are no whole grid, their norms lie over the first images, each in its place.

    Args:
        found: the report.
        name: of the model.
        path: the `.png` file.
    """
    with picture(path, 9.0, 3.6 if found.looked is None else 6.4) as figure:
        figure.suptitle(f"{name}: {_verdict(found)}")
        if found.looked is None:
            _draw_all(figure, found)
        else:
            halves: Any = figure.subfigures(2, 1, height_ratios=(3.6, 2.8))
            above, below = halves
            _draw_all(above, found)
            _draw_images(below, found)


def _draw_all(figure: Figure | SubFigure, found: Artifacts) -> None:
    norms, where = figure.subplots(1, 2, width_ratios=(3, 2))
    edges = np.array(found.edges)
    cut = np.inf if found.cutoff is None else found.cutoff
    colours = [_OUTLIER if left >= cut else _NORMAL for left in edges[:-1]]
    norms.bar(edges[:-1], found.counts, np.diff(edges), align="edge", color=colours)
    if found.cutoff is not None:
        norms.axvline(found.cutoff, color=_OUTLIER, linestyle="--")
    norms.set_xscale("log")
    norms.set_yscale("symlog", linthresh=1)
    # The scales' own labels are formulas, which pictures of ours do not parse.
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    norms.xaxis.set_major_formatter(plain)
    norms.xaxis.set_minor_formatter(plain if edges[-1] < 10 * edges[0] else NullFormatter())
    norms.yaxis.set_major_formatter(plain)
    norms.set_xlabel("norm of an output token")
    norms.set_ylabel("tokens")
    norms.set_title("Norms")
    shares = 100 * np.array(found.where)
    image = where.imshow(shares, cmap="magma", vmin=0, vmax=max(shares.max(), 1.0))
    where.set_title("Outliers there, % of images")
    _bare(where)
    bar = figure.colorbar(image, ax=where, shrink=0.9)
    bar.outline.set_edgecolor(FAINT)


def _draw_images(figure: SubFigure, found: Artifacts) -> None:
    assert found.looked is not None
    low, high = found.norms[1], found.norms[3]
    panels = figure.subplots(1, _IMAGES)
    for panel in panels:
        panel.set_axis_off()
    looked = found.looked
    images = zip(panels, placed(looked.rows, looked.patch_size), looked.norms, strict=False)
    for number, (panel, (image, owners), norms) in enumerate(images):
        panel.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=255)
        over = norms[owners]
        shown = panel.imshow(over, cmap="viridis", vmin=low, vmax=high, alpha=0.65)
        if found.cutoff is not None and (over >= found.cutoff).any():
            panel.contour(over >= found.cutoff, levels=[0.5], colors=[_OUTLIER], linewidths=1.2)
        panel.set_title(str(looked.rows.image_ids[number]))
    bar = figure.colorbar(shown, ax=panels.tolist(), shrink=0.8, label="norm")
    bar.outline.set_edgecolor(FAINT)


def _bare(panel: Axes) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    panel.grid(False)


def lines(found: Artifacts) -> list[str]:
    """The report in words, a line a fact."""
    low, high = found.norms[1], found.norms[3]
    told = [
        f"{found.images} images of {_tokens(found)}",
        f"norms of output tokens: median {found.norms[2]:.3g}, 98 % of them in "
        f"{low:.3g} to {high:.3g}, largest {found.norms[4]:.3g}",
        _verdict(found),
    ]
    for name, probed in found.probes.items():
        if probed is not None:
            shown = (
                "" if probed.pixel_l2 is None else f"{found.shows} off by {probed.pixel_l2:.2f}; "
            )
            told.append(
                f"{name} tokens: {_position(probed)}; {shown}"
                f"cosine to neighbours {probed.neighbour_cosine:.2f}"
            )
    if found.looked is not None:
        told.append("every token is given its geometry: position tells how much of it is left")
    return told


def _tokens(found: Artifacts) -> str:
    if found.looked is None:
        return f"{found.rows} x {found.columns} patches"
    return f"{found.an_image:.1f} {found.tokens} each"


def _position(probed: Probed) -> str:
    if probed.position_top1 is None:
        return f"position {100 * probed.position_distance:.1f} % of the image's side off"
    right = f"position right {100 * probed.position_top1:.1f} %"
    return f"{right}, {probed.position_distance:.2f} patches off"


def _verdict(found: Artifacts) -> str:
    if found.cutoff is None:
        return "no outliers found (one mode)"
    return f"outliers from norm {found.cutoff:.3g} on, {100 * found.share:.2f} % of tokens"
