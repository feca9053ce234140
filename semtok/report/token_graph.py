"""One scene as an encoder of semantic tokens is given it: its tokens, and what joins them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from semtok.models.attention import AdditiveBias
from semtok.models.encoder import VisualTokenEncoder
from semtok.report.region_tiles import region_tiles
from semtok.report.style import MUTED, PALETTE, picture
from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.permutation import permute
from semtok.tokens.rows import RegionRows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint

_NAME = "bias.png"
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
    bias = AdditiveBias(1, 1, True, True, "fixed", value=1.0)
    with picture(path, 10.0, 5.2) as figure:
        scene, matrix = figure.subplots(1, 2)
        _draw_scene(scene, rows, shards.predicates, "intangible")
        matrix.imshow(added(bias, Collate(intangible=True)(rows)), cmap="Greys", vmin=0)
        _label(matrix, _names(rows, shards.predicates))
        matrix.set_title("additive bias, all weights 1")


def draw_first(training: Path, shards: Path, folder: Path) -> tuple[str, ...]:
    """Draw the first image of some token shards with the bias that one training adds to it.

    A control's relations are those that it was given, permuted.

    Args:
        training: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        folder: where the picture goes.

    Returns:
        The picture's name; nothing where nothing is added, or tokens are no regions of pixels.
    """
    trained = checkpoint.load(training)
    encoder, collate = trained.model.vision, trained.collate
    opened = trained.open_shards(shards)
    rows = opened.rows(np.array([0]))
    if not isinstance(rows, RegionRows) or rows.features.dtype != np.uint8:
        return ()
    if not isinstance(encoder, VisualTokenEncoder) or not encoder.bias.adds:
        return ()
    if collate.permute_relations:
        rows = permute(rows, collate.seed)
    sums = added(encoder.bias, replace(collate, permute_relations=False)(rows))
    most = max(float(np.abs(sums).max()), 1e-6)
    # Of relations without tokens the names are the last, and left out.
    names = _names(rows, opened.predicates, encoder.leading - 1)[: len(sums)]
    with picture(folder / _NAME, 11.2, 5.8) as figure:
        scene, matrix = figure.subplots(1, 2)
        _draw_scene(scene, rows, opened.predicates, "relations")
        drawn = matrix.imshow(sums, cmap="RdBu_r", vmin=-most, vmax=most)
        figure.colorbar(drawn, ax=matrix, shrink=0.6)
        _label(matrix, names)
        matrix.set_title("additive bias, mean of layers and heads")
    return (_NAME,)


def added(bias: AdditiveBias, batch: TokenBatch) -> npt.NDArray[np.float32]:
    """What is added to the score of a query (row) and a key (column), the mean of layers and heads.

    Args:
        bias: which adds something.
        batch: of one image.
    """
    with torch.inference_mode():
        layers = [each for each in bias(batch, None) if each is not None]
    found: npt.NDArray[np.float32] = (
        torch.stack([each[0].mean(0) for each in layers]).mean(0).numpy()
    )
    return found


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


def _draw_scene(panel: Axes, rows: RegionRows, predicates: tuple[str, ...], relations: str) -> None:
    panel.imshow(laid_out(rows, _SIDE))
    panel.set_axis_off()
    counts = f"tangible tokens: {len(rows.features)}, {relations}: {len(rows.edge_ends)}"
    panel.set_title(counts)
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


def _names(rows: RegionRows, predicates: tuple[str, ...], registers: int = 0) -> list[str]:
    relations = [("unknown", *predicates)[each] for each in rows.edge_predicate]
    return ["[CLS]", *["register"] * registers, *map(str, range(len(rows.features))), *relations]


def _label(panel: Axes, names: list[str]) -> None:
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    panel.set_yticks(range(len(names)), names, fontsize=7)
    panel.set_ylabel("query", color=MUTED)
    panel.set_xlabel("key", color=MUTED)
    panel.grid(visible=False)
