"""Images with the clusters that their patches were put into."""

import math
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt

from semtok.models.cluster_maps import cluster_maps
from semtok.models.encoder import VisualTokenEncoder
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
    if not isinstance(encoder, VisualTokenEncoder) or not any(encoder.clusters):
        return False
    opened = trained.open_shards(shards)
    some = np.linspace(0, len(opened) - 1, min(_IMAGES, len(opened))).astype(np.int64)
    rows = opened.rows(some)
    assert isinstance(rows, PixelRows | RelatedPixelRows), "clusters are of patches"
    maps = cluster_maps(encoder, trained.collate(rows))[:, :, 0]
    draw(rows.pixels[..., :3], rows.image_ids.tolist(), maps.numpy(), path)
    return True


def draw(images: Image, image_ids: list[int], maps: npt.NDArray[np.int64], path: Path) -> None:
    """Draw each image, and below it the clusters of the first head of every block.

    Args:
        images: [B, S, S, 3] RGB.
        image_ids: B.
        maps: [B, blocks, L] of `cluster_maps`, one head of each block.
        path: the `.png` file.
    """
    blocks = maps.shape[1]
    with picture(path, 2.4 * len(images), 2.6 * (blocks + 1)) as figure:
        axes = figure.subplots(blocks + 1, len(images), squeeze=False)
        for column, image in enumerate(images):
            axes[0, column].imshow(image)
            axes[0, column].set_title(str(image_ids[column]))
            for block in range(blocks):
                axes[block + 1, column].imshow(coloured(image, maps[column, block]))
                axes[block + 1, column].set_title(f"block {block + 1}")
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
