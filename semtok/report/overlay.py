"""Sample images with their masks and relations drawn over them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patheffects import withStroke

from semtok.extract.photos import read_image
from semtok.extract.rle import decode
from semtok.remote import AnyPath
from semtok.report.style import PALETTE, picture

_SIDE = 480  # pixels of a panel's longer side
_SMALLEST_LABELLED = 0.015  # share of the image below which a mask's name would cover it
_MOST_RELATIONS = 4  # arrows an image, those of the highest score

Image = npt.NDArray[np.uint8]
Point = npt.NDArray[np.float64]


def draw(
    images: pa.Table, root: AnyPath, masks: pa.Table, scene_graphs: pa.Table, path: Path
) -> None:
    """Draw images side by side with their masks, category names and strongest relations.

    Args:
        images: columns image_id and path (relative to `root`); one panel a row, in this order.
        root: the data set's folder.
        masks: rows of masks shards; those of other images are passed over.
        scene_graphs: rows of scene_graphs shards, likewise.
        path: the `.png` file.

    Raises:
        SemtokError: an image cannot be read.
    """
    columns = min(4, images.num_rows)
    rows = -(-images.num_rows // columns)
    with picture(path, 3.6 * columns, 3.8 * rows) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in axes:
            panel.set_axis_off()
            panel.set_anchor("NW")
        for panel, row in zip(axes, images.to_pylist(), strict=False):
            image_id = row["image_id"]
            found = masks.filter(pc.equal(masks["image_id"], image_id)).to_pylist()
            graph = scene_graphs.filter(pc.equal(scene_graphs["image_id"], image_id)).to_pylist()
            _draw(panel, read(root / row["path"], _SIDE), found, graph)
            counts = f"masks: {len(found)}, relations: {len(graph)}"
            panel.set_title(f"{image_id}  ·  {counts}", fontsize=9)


def paint(image: Image, masks: list[dict[str, Any]]) -> tuple[Image, dict[int, Point]]:
    """Colour the masks of an image, each with its outline.

    Args:
        image: RGB [H, W, 3].
        masks: rows of a masks shard, the first ones lowest; their size may differ from the image's.

    Returns:
        The coloured image, and for each mask id the pixel (x, y) that lies deepest inside.
    """
    canvas, centres = image.astype(np.float32), {}
    for number, mask in enumerate(masks):
        inside = _resized(decode(mask["counts"], mask["height"], mask["width"]), image)
        colour = 255 * np.array(to_rgb(PALETTE[number % len(PALETTE)]), np.float32)
        canvas[inside > 0] = 0.55 * canvas[inside > 0] + 0.45 * colour
        outline, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, outline, -1, colour.tolist(), 2)
        centres[mask["mask_id"]] = deepest(inside)
    return canvas.clip(0, 255).astype(np.uint8), centres


def largest_first(masks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The order to paint masks in: what lies on a large one is drawn over it."""
    return sorted(masks, key=lambda mask: -int(mask["area"]))


def strongest(graph: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The relations of an image that are shown: rows of a scene_graphs shard."""
    return sorted(graph, key=lambda relation: -float(relation["score"]))[:_MOST_RELATIONS]


def read(path: AnyPath, side: int | None = None) -> Image:
    """Read an image to draw on.

    Args:
        path: its file.
        side: pixels of its longer side, to which it is resized; None: it stays as it is.

    Returns:
        RGB [H, W, 3].

    Raises:
        SemtokError: it cannot be read.
    """
    # Masks are of the pixels as stored, whichever way a viewer would turn them.
    image = read_image(path)
    if side is None:
        return image
    scale = side / max(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def deepest(inside: Image) -> Point:
    """The pixel (x, y) that lies deepest inside a mask [H, W]."""
    depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 5)
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return np.array([x - 1.0, y - 1.0])


def _draw(
    panel: Axes, image: Image, masks: list[dict[str, Any]], graph: list[dict[str, Any]]
) -> None:
    ordered = largest_first(masks)
    painted, centres = paint(image, ordered)
    panel.imshow(painted)
    for mask in ordered:
        if mask["area"] >= _SMALLEST_LABELLED * mask["height"] * mask["width"]:
            _write(panel, centres[mask["mask_id"]], mask["category"])
    names = {mask["mask_id"]: mask["category"] for mask in masks}
    lines = []
    for number, relation in enumerate(strongest(graph), start=1):
        ends = relation["subject"], relation["object"]
        _arrow(panel, centres[ends[0]], centres[ends[1]], str(number))
        lines.append(f"{number}  {names[ends[0]]} {relation['predicate']} {names[ends[1]]}")
    panel.text(0, -0.02, "\n".join(lines), transform=panel.transAxes, fontsize=8, va="top")


def _arrow(panel: Axes, start: Point, end: Point, number: str) -> None:
    """A bent arrow, so that a pair's two directions lie side by side, with its number on it."""
    bend = 0.2
    panel.annotate(
        "",
        xy=(end[0], end[1]),
        xytext=(start[0], start[1]),
        arrowprops={
            "arrowstyle": "-|>,head_width=0.25,head_length=0.5",
            "color": "white",
            "connectionstyle": f"arc3,rad={bend}",
            "linewidth": 1.4,
            "path_effects": [withStroke(linewidth=2.8, foreground="black")],
        },
    )
    along = end - start
    middle = (start + end) / 2 + bend / 2 * np.array([-along[1], along[0]])
    badge = {"boxstyle": "circle,pad=0.15", "facecolor": "black", "edgecolor": "white"}
    panel.text(
        middle[0],
        middle[1],
        number,
        color="white",
        fontsize=7,
        ha="center",
        va="center",
        bbox=badge,
    )


def _write(panel: Axes, place: Point, text: str) -> None:
    panel.text(
        place[0],
        place[1],
        text,
        fontsize=7,
        ha="center",
        va="center",
        path_effects=[withStroke(linewidth=2, foreground="white")],
        zorder=5,
    )


def _resized(mask: Image, image: Image) -> Image:
    size = image.shape[1], image.shape[0]
    resized = cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8)
