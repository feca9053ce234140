"""The artifact report as a picture, and as lines of text."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from semtok.bench.artifacts import IMAGES, Artifacts, examine
from semtok.bench.patch_models import encoder_of_patches, of_variant
from semtok.report.style import BASELINE, FAINT, PALETTE, picture
from semtok.train import checkpoint

_NORMAL, _OUTLIER = BASELINE, PALETTE[1]

_NAME = "artifacts.png"


def draw_first(name: str, training: Path, shards: Path, folder: Path) -> tuple[str, ...]:
    """Draw the report of one training, on the first images of some token shards.

    Args:
        name: of its variant.
        training: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        folder: where the picture goes.

    Returns:
        The picture's name; nothing where there are no registers, or tokens are no patches.
    """
    trained = checkpoint.load(training)
    if not trained.model.config.vision.registers or encoder_of_patches(trained) is None:
        return ()
    draw(examine(of_variant(training, shards, IMAGES)), name, folder / _NAME)
    return (_NAME,)


def draw(found: Artifacts, name: str, path: Path) -> None:
    """Draw the histogram of norms and the map of where outliers are.

    Args:
        found: the report.
        name: of the model.
        path: the `.png` file.
    """
    with picture(path, 9.0, 3.6) as figure:
        figure.suptitle(f"{name}: {_verdict(found)}")
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
        where.set_xticks([])
        where.set_yticks([])
        where.grid(False)
        bar = figure.colorbar(image, ax=where, shrink=0.9)
        bar.outline.set_edgecolor(FAINT)


def lines(found: Artifacts) -> list[str]:
    """The report in words, a line a fact."""
    low, high = found.norms[1], found.norms[3]
    told = [
        f"{found.images} images of {found.rows} x {found.columns} patches",
        f"norms of output tokens: median {found.norms[2]:.3g}, 98 % of them in "
        f"{low:.3g} to {high:.3g}, largest {found.norms[4]:.3g}",
        _verdict(found),
    ]
    for name, probed in found.probes.items():
        if probed is not None:
            told.append(
                f"{name} tokens: position right {100 * probed.position_top1:.1f} %, "
                f"{probed.position_distance:.2f} patches off; pixels off by "
                f"{probed.pixel_l2:.2f}; cosine to neighbours {probed.neighbour_cosine:.2f}"
            )
    return told


def _verdict(found: Artifacts) -> str:
    if found.cutoff is None:
        return "no outliers found (one mode)"
    return f"outliers from norm {found.cutoff:.3g} on, {100 * found.share:.2f} % of tokens"
