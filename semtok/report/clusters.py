"""Images with the clusters that their patches were put into."""

import math
from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

from semtok.models.cluster_maps import cluster_maps, stage_cluster_maps
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.secvit_encoder import SecViTEncoder
from semtok.report.style import picture
from semtok.tokens.rows import PixelRows, RelatedPixelRows
from semtok.train import checkpoint

_IMAGES, _NAME = 4, "clusters.png"

_SHARE = 0.55  # of a cluster's colour over the image's

Image = npt.NDArray[np.uint8]


def draw_first(training: Path, shards: Path, folder: Path) -> tuple[str, ...]:
    """Draw the clusters of some images as one training cuts them.

    Args:
        training, shards: as of `draw_training`.
        folder: where the picture goes.

    Returns:
        The picture's name; nothing where there are no clusters.
    """
    return (_NAME,) if draw_training(training, shards, folder / _NAME) else ()


def draw_training(training: Path, shards: Path, path: Path) -> bool:
    """Draw four images of some token shards, spread out, as siblings lie side by side.

    Args:
        training: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        path: the `.png` file.

    Returns:
        Whether it was drawn: not where there are no clusters.
    """
    trained = checkpoint.load(training)
    encoder = trained.model.vision
    if not isinstance(encoder, VisualTokenEncoder | SecViTEncoder):
        return False
    if isinstance(encoder, VisualTokenEncoder) and not any(encoder.clusters):
        return False
    opened = trained.open_shards(shards)
    some = np.linspace(0, len(opened) - 1, min(_IMAGES, len(opened))).astype(np.int64)
    rows = opened.rows(some)
    assert isinstance(rows, PixelRows | RelatedPixelRows), "clusters are of patches"
    batch = trained.collate(rows)
    if isinstance(encoder, SecViTEncoder):
        what, maps = "stage", [each[:, 0] for each in stage_cluster_maps(encoder, batch)]
    else:
        what, maps = "block", [*cluster_maps(encoder, batch)[:, :, 0].unbind(1)]
    shown = {f"{what} {number}": each.numpy() for number, each in enumerate(maps, start=1)}
    draw(rows.pixels[..., :3], rows.image_ids.tolist(), shown, path)
    return True


def draw(
    images: Image, image_ids: list[int], maps: Mapping[str, npt.NDArray[np.int64]], path: Path
) -> None:
    """Draw each image, and below it clusters over it.

    Args:
        images: [B, S, S, 3] RGB.
        image_ids: B.
        maps: [B, L] by title, of one head each.
        path: the `.png` file.
    """
    with picture(path, 2.4 * len(images), 2.6 * (len(maps) + 1)) as figure:
        axes = figure.subplots(len(maps) + 1, len(images), squeeze=False)
        for column, image in enumerate(images):
            axes[0, column].imshow(image)
            axes[0, column].set_title(str(image_ids[column]))
            for row, (title, clusters) in enumerate(maps.items(), start=1):
                axes[row, column].imshow(coloured(image, clusters[column]))
                axes[row, column].set_title(title)
        for panel in axes.flat:
            panel.set_axis_off()


def coloured(image: Image, clusters: npt.NDArray[np.int64]) -> Image:
    """An image [S, S, 3] under the colours of its patches' clusters [L], dark to light in order."""
    side = math.isqrt(len(clusters))
    steps = clusters / max(1, int(clusters.max()))
    colours = 255 * matplotlib.colormaps["viridis"](steps)[:, :3].reshape(side, side, 3)
    size = image.shape[0] // side
    above = np.repeat(np.repeat(colours, size, axis=0), size, axis=1)
    mixed: Image = (_SHARE * above + (1 - _SHARE) * image).astype(np.uint8)
    return mixed
