"""What superpixels count for, as colours over the image that they were cut from."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from matplotlib.colors import CenteredNorm

from semtok.bench.attributions import Attributions, attributions
from semtok.report.style import picture
from semtok.report.superpixels import outlined, rebuilt

_IMAGES, _NAME = 4, "attributions.png"

#: Standard deviations at which colours end.
_RANGE = 2.5


def draw_first(training: Path, shards: Path, captions: pa.Table, folder: Path) -> tuple[str, ...]:
    """Draw the first images of some token shards as one training sees them.

    Args:
        training, shards, captions: as of `attributions`.
        folder: where the picture goes.

    Returns:
        The picture's name; nothing where there are no attributions.
    """
    found = attributions(training, shards, captions, _IMAGES)
    if found is None:
        return ()
    draw(found, folder / _NAME)
    return (_NAME,)


def draw(found: Attributions, path: Path) -> None:
    """Draw a column for each image: what its tokens hold, and both attributions over it.

    Red superpixels count for more than the image's mean, blue ones for less.

    Args:
        found: of at least one image.
        path: the `.png` file.
    """
    rows = found.rows
    cuts = np.cumsum(rows.region_counts)[:-1]
    features = np.split(rows.features, cuts)
    kinds = {
        "attention flow": np.split(found.attention_flow, cuts),
        "prototype component": np.split(found.prototype_component, cuts),
    }
    count = len(rows.image_ids)
    with picture(path, 2.6 * count, 2.9 * (1 + len(kinds))) as figure:
        panels = figure.subplots(1 + len(kinds), count, squeeze=False)
        for panel in panels.ravel():
            panel.set_axis_off()
        for image, column in enumerate(panels.T):
            owners = rows.owners[image]
            shown = rebuilt(owners, features[image])
            column[0].imshow(outlined(shown, owners))
            column[0].set_title(str(rows.image_ids[image]))
            for panel, (kind, values) in zip(column[1:], kinds.items(), strict=True):
                panel.imshow(_grey(shown), cmap="gray", vmin=0, vmax=255)
                panel.imshow(
                    values[image][owners],
                    cmap="coolwarm",
                    norm=CenteredNorm(halfrange=_RANGE),
                    alpha=0.65,
                    interpolation="nearest",
                )
                panel.set_title(kind if image == 0 else "")


def _grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.asarray(image.mean(axis=2))
