"""What an encoder sees: the tokens of some images, as their shards hold them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.patheffects import withStroke

from semtok.report import superpixels
from semtok.report.region_tiles import region_tiles
from semtok.report.style import picture
from semtok.tokens.grid_mask_map import BORDER, OUTSIDE
from semtok.tokens.rows import PixelRows, RegionRows, RelatedPixelRows, SuperpixelRows
from semtok.tokens.shards import TokenShards

_TILES = 16  # region crops in a row of the picture
_LINE = 8  # relations named in a line below
_GAP = 2  # pixels between tiles

Image = npt.NDArray[np.uint8]


def draw(shards: TokenShards, path: Path, images: int = 4, patch_size: int | None = None) -> None:
    """Draw the token sets of the first images of a partition.

    Args:
        shards: where they lie.
        path: the `.png` file.
        images: how many.
        patch_size: of a variant that cuts pixels into patches; None shows them whole.
    """
    rows = shards.rows(np.arange(min(images, len(shards))))
    if isinstance(rows, PixelRows):
        _draw_pixels(rows, patch_size, path)
    elif isinstance(rows, RelatedPixelRows):
        _draw_related(rows, shards.predicates, path)
    elif isinstance(rows, SuperpixelRows):
        superpixels.draw(rows, path)
    else:
        _draw_regions(rows, shards.predicates, path)


def patches(image: Image, patch_size: int) -> Image:
    """An image [S, S, 3] cut into patches, with white gaps between them."""
    side = image.shape[0] // patch_size
    tiles = image.reshape(side, patch_size, side, patch_size, 3).swapaxes(1, 2)
    return montage(tiles.reshape(-1, patch_size, patch_size, 3), side)


def montage(tiles: Image, columns: int) -> Image:
    """Tiles [T, k, k, 3] in rows of `columns`, with white gaps between them."""
    rows, side = -(-len(tiles) // columns), tiles.shape[1] + _GAP
    canvas = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        y, x = side * (number // columns), side * (number % columns)
        canvas[y : y + tiles.shape[1], x : x + tiles.shape[1]] = tile
    return canvas[:-_GAP, :-_GAP]


def _draw_pixels(rows: PixelRows, patch_size: int | None, path: Path) -> None:
    count = len(rows.image_ids)
    with picture(path, 3.0 * count, 3.4) as figure:
        axes = figure.subplots(1, count, squeeze=False)[0]
        for panel, image_id, image in zip(axes, rows.image_ids, rows.pixels, strict=True):
            tokens = (image.shape[0] // patch_size) ** 2 if patch_size else 0
            shown = _colours(image)
            panel.imshow(patches(shown, patch_size) if patch_size else shown)
            panel.set_title(f"{image_id}  ·  patches: {tokens}" if tokens else str(image_id))
            panel.set_axis_off()


def _colours(image: Image) -> Image:
    """An image [S, S, C]; a mask map pales what belongs to no mask, and whitens where masks end."""
    colours, levels = image[..., :3], image[..., 3:]
    if not levels.size:
        return colours
    paled = np.where(levels == OUTSIDE, colours // 2 + 128, colours)
    return np.where(levels == BORDER, 255, paled).astype(np.uint8)


def _draw_related(rows: RelatedPixelRows, predicates: tuple[str, ...], path: Path) -> None:
    """Each image with its regions' numbers at their centres, and its relations below."""
    texts = _relations(rows.regions, predicates)
    geometry = np.split(rows.regions.geometry, np.cumsum(rows.regions.region_counts)[:-1])
    halo = withStroke(linewidth=2, foreground="white")
    with picture(path, 3.4 * len(texts), 3.4 + 0.2 * max(map(len, texts))) as figure:
        axes = figure.subplots(1, len(texts), squeeze=False)[0]
        for panel, image_id, image, places, text in zip(
            axes, rows.image_ids, rows.pixels, geometry, texts, strict=True
        ):
            panel.imshow(image)
            panel.set_title(f"{image_id}  ·  relations: {len(text)}")
            panel.set_axis_off()
            panel.set_anchor("N")
            for number, (x, y) in enumerate(places[:, :2] * len(image)):
                panel.text(x, y, str(number), fontsize=8, ha="center", path_effects=[halo])
            lines = "\n".join(text)
            panel.text(0, -0.04, lines, transform=panel.transAxes, fontsize=8, va="top")


def _relations(rows: RegionRows, predicates: tuple[str, ...]) -> list[list[str]]:
    """The relations of each image, in words."""
    edges = np.cumsum(rows.edge_counts)[:-1]
    ends, names = np.split(rows.edge_ends, edges), np.split(rows.edge_predicate, edges)
    known = ("unknown", *predicates)
    return [
        [f"{s} {known[p]} {o}" for (s, o), p in zip(pair, name, strict=True)]
        for pair, name in zip(ends, names, strict=True)
    ]


def _draw_regions(rows: RegionRows, predicates: tuple[str, ...], path: Path) -> None:
    tiles = region_tiles(rows.features)
    regions = np.split(tiles, np.cumsum(rows.region_counts)[:-1])
    texts = _relations(rows, predicates)
    heights = [
        0.3 + 0.7 * -(-len(crops) // _TILES) + 0.2 * -(-len(text) // _LINE)
        for crops, text in zip(regions, texts, strict=True)
    ]
    halo = withStroke(linewidth=2, foreground="white")
    with picture(path, 0.7 * _TILES, sum(heights)) as figure:
        axes = figure.subplots(len(regions), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, image_id, crops, text in zip(axes, rows.image_ids, regions, texts, strict=True):
            panel.imshow(montage(crops, _TILES), interpolation="nearest")
            counts = f"tangible tokens: {len(crops)}, relations: {len(text)}"
            panel.set_title(f"{image_id}  ·  {counts}")
            panel.set_axis_off()
            panel.set_anchor("NW")
            side = crops.shape[1] + _GAP
            for number in range(len(crops)):
                y, x = side * (number // _TILES), side * (number % _TILES)
                panel.text(x, y, str(number), fontsize=7, va="top", path_effects=[halo])
            lines = [",   ".join(text[i : i + _LINE]) for i in range(0, len(text), _LINE)]
            panel.text(0, -0.04, "\n".join(lines), transform=panel.transAxes, fontsize=8, va="top")
