"""Which tokens of an image gates keep: fewer the smaller the budget."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from semtok.bench.keeping import SHOWN, Keeping, keep
from semtok.report.placed import NOBODY, placed
from semtok.report.style import picture

_IMAGES, _NAME = 4, "kept_tokens.png"

#: What is left of the brightness of a token that was dropped.
_DIM = 0.12

Image = npt.NDArray[np.uint8]


def draw_first(
    training: Path, shards: Path, patch_size: int | None, folder: Path
) -> tuple[str, ...]:
    """Draw the first images of some token shards as one training keeps them.

    Args:
        training, shards: as of `keep`.
        patch_size: as of `placed`.
        folder: where the picture goes.

    Returns:
        The picture's name; nothing where there are no gates.
    """
    found = keep(training, shards, _IMAGES)
    if found is None:
        return ()
    draw(found, patch_size, folder / _NAME)
    return (_NAME,)


def draw(found: Keeping, patch_size: int | None, path: Path) -> None:
    """Draw a row for each image: it, and what is left of it within each budget.

    Args:
        found: by one training.
        patch_size: as of `placed`.
        path: the `.png` file.
    """
    count = len(found.rows.image_ids)
    with picture(path, 1.8 * (1 + len(SHOWN)), 1.95 * count + 0.3) as figure:
        panels = figure.subplots(count, 1 + len(SHOWN), squeeze=False)
        pictures = placed(found.rows, patch_size)
        for image, (row, (shown, owners)) in enumerate(zip(panels, pictures, strict=True)):
            row[0].imshow(shown)
            row[0].set_title(str(found.rows.image_ids[image]), fontsize=8)
            tokens = owners.max() + 1
            for panel, budget, kept in zip(row[1:], SHOWN, found.kept, strict=True):
                own = kept[image, :tokens]
                panel.imshow(dimmed(shown, owners, own))
                panel.set_title(f"{100 * budget:g} %: {own.sum()} of {tokens}", fontsize=8)
            for panel in row:
                panel.set_axis_off()


def dimmed(shown: Image, owners: npt.NDArray[np.int64], kept: npt.NDArray[np.bool_]) -> Image:
    """An image [S, S, 3] in which tokens that were dropped, and what is nobody's, are dark.

    Args:
        shown: the image.
        owners: [S, S], as of `placed`.
        kept: [N].
    """
    light = np.where(owners == NOBODY, False, kept[owners])
    return np.where(light[..., None], shown, shown * _DIM).astype(np.uint8)
