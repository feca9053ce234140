"""One scene as an encoder of semantic tokens is given it: its tokens, and what joins them."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from semtok.models.attention import AdditiveBias
from semtok.report.style import MUTED, PALETTE, picture
from semtok.report.tokens import region_tiles
from semtok.tokens.collate import Collate
from semtok.tokens.rows import RegionRows
from semtok.tokens.shards import TokenShards

_SIDE = 384  # pixels of the scene that tokens are laid out in
_EMPTY = 232  # grey of what no token shows

Image = npt.NDArray[np.uint8]


def draw(shards: TokenShards, path: Path, number: int = 0) -> None:
    """Draw an image's tangible tokens where they lie, its relations, and its additive bias.

    Args:
        shards: of semantic tokens of pixels.
        path: the `.png` file.
        number: of the image among the shards' images.
    """
    rows = shards.rows(np.array([number]))
    assert isinstance(rows, RegionRows)
    with picture(path, 10.0, 5.2) as figure:
        scene, matrix = figure.subplots(1, 2)
        _draw_scene(scene, rows, shards.predicates)
        _draw_bias(matrix, rows, shards.predicates)


def laid_out(rows: RegionRows, side: int) -> Image:
    """The scene [side, side, 3] put together again from its tangible tokens, largest first."""
    canvas = np.full((side, side, 3), _EMPTY, np.float32)
    tiles = region_tiles(rows.features).astype(np.float32)
    size = tiles.shape[1]
    shares = rows.features.reshape(-1, size, size, 4)[..., 3].astype(np.float32) / 255
    for tile, share, (x, y, w, h, _) in zip(tiles, shares, rows.geometry, strict=True):
        left, top = round((x - w / 2) * side), round((y - h / 2) * side)
        wide, high = max(round(w * side), 1), max(round(h * side), 1)
        there = canvas[top : top + high, left : left + wide]
        target = there.shape[1], there.shape[0]
        colours = cv2.resize(tile, target, interpolation=cv2.INTER_NEAREST)
        covered = cv2.resize(share, target, interpolation=cv2.INTER_NEAREST)[..., None] > 0
        there[:] = np.where(covered, colours, there)
    return canvas.astype(np.uint8)


def _draw_scene(panel: Axes, rows: RegionRows, predicates: tuple[str, ...]) -> None:
    panel.imshow(laid_out(rows, _SIDE))
    panel.set_axis_off()
    panel.set_title(f"tangible tokens: {len(rows.features)}, intangible: {len(rows.edge_ends)}")
    places = rows.geometry[:, :2] * _SIDE
    halo = [withStroke(linewidth=2.5, foreground="white")]
    for one, nearest in enumerate(rows.neighbours):
        for other in nearest[nearest >= 0]:
            panel.plot(*places[[one, other]].T, color="white", linewidth=0.6, alpha=0.7)
    for (subject, target), predicate in zip(rows.edge_ends, rows.edge_predicate, strict=True):
        colour = PALETTE[predicate % (len(PALETTE) - 1)]  # the last one is weak beside others
        panel.annotate(
            "",
            places[target],
            places[subject],
            arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.8},
        )
        # Nearer to the subject, so that the names of two relations of one object stand apart.
        middle = 0.65 * places[subject] + 0.35 * places[target]
        name = ("unknown", *predicates)[predicate]
        panel.text(
            middle[0], middle[1], name, color=colour, fontsize=8, ha="center", path_effects=halo
        )
    for number, place in enumerate(places):
        panel.text(
            place[0], place[1], str(number), fontsize=9, ha="center", va="center", path_effects=halo
        )


def _draw_bias(panel: Axes, rows: RegionRows, predicates: tuple[str, ...]) -> None:
    """What is added to the scores of a query (row) and a key (column), where all weights are 1."""
    batch = Collate(intangible=True)(rows)
    (bias,) = AdditiveBias(1, 1, True, True, "fixed", value=1.0)(batch, None)
    assert bias is not None
    panel.imshow(bias[0, 0].numpy(), cmap="Greys", vmin=0)
    names = ["[CLS]", *map(str, range(len(rows.features)))]
    names += [("unknown", *predicates)[each] for each in rows.edge_predicate]
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    panel.set_yticks(range(len(names)), names, fontsize=7)
    panel.set_title("additive bias, all weights 1")
    panel.set_ylabel("query", color=MUTED)
    panel.set_xlabel("key", color=MUTED)
    panel.grid(visible=False)
