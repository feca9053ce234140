"""From a scene to pixels: colours, and which thing or stuff each pixel shows."""

import math
import random
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes.catalogue import THING
from semtok.data.scenes.category import TRACES
from semtok.data.scenes.parts import Part
from semtok.data.scenes.scene import Scene, Thing
from semtok.data.scenes.vocabulary import COLOURS, HAIRS, PAINTS, RGB, SKINS

#: Ids of stuff in the id map: this, plus the place of its name in `vocabulary.STUFF`.
STUFF_ID = 100

_OVER = 3  # drawn at three times the size; odd, so that a pixel's centre is a point of the drawing
_SHIFT = 4  # binary digits behind the point in OpenCV's coordinates
_OUTLINE = 0.0065  # width of outlines, in image sides
_CELL = 0.026  # half a period of the textures, in image sides

Canvas = NDArray[np.uint8]


def render(scene: Scene) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a scene.

    Returns:
        image: [S, S, 3] RGB.
        ids: [S, S]; what is seen at each pixel's centre: 1 + the thing's place in the scene,
            `STUFF_ID` + the stuff's place in `STUFF`, or 0.
    """
    side = scene.size * _OVER
    colours: Canvas = np.zeros((side, side, 3), np.uint8)
    ids: Canvas = np.zeros((side, side), np.uint8)
    for patch in scene.backdrop:
        points = _fixed(np.array(patch.points) * side)
        cv2.fillPoly(colours, [points], patch.rgb, shift=_SHIFT, lineType=cv2.LINE_AA)
        if patch.stuff is not None:
            cv2.fillPoly(ids, [points], STUFF_ID + patch.stuff, shift=_SHIFT)
    drawn = [THING[thing.category].drawn(thing.pose) for thing in scene.things]
    for thing in scene.things:
        if thing.grounded:
            _shadow(colours, thing, side)
    for _, number, front in sorted(_layers(scene.things)):
        thing = scene.things[number]
        palette = _palette(thing)
        for part in drawn[number]:
            if part.front == front:
                _draw(colours, ids, part, thing, palette, number + 1, side)
    small = cv2.resize(colours, (scene.size, scene.size), interpolation=cv2.INTER_AREA)
    return _lit(np.asarray(small, np.uint8), scene), np.ascontiguousarray(
        ids[_OVER // 2 :: _OVER, _OVER // 2 :: _OVER]
    )


def _layers(things: Sequence[Thing]) -> list[tuple[float, int, bool]]:
    """Painter's order: a thing's body, and apart from it what reaches over another thing."""
    return [
        layer
        for number, thing in enumerate(things)
        for layer in ((thing.depth, number, False), (thing.reach_depth, number, True))
    ]


def _draw(
    colours: Canvas,
    ids: Canvas,
    part: Part,
    thing: Thing,
    palette: dict[str, RGB],
    number: int,
    side: int,
) -> None:
    points = _fixed(thing.to_image(part.points) * side)
    fill = palette[part.paint]
    edge = tuple(c // 2 for c in fill)
    line = max(1, round(_OUTLINE * side))
    if part.paint in TRACES:
        width = max(line, round(part.width * thing.scale * side))
        cv2.polylines(colours, [points], False, fill, width, shift=_SHIFT)
        return
    if part.width:
        width = max(1, round(part.width * thing.scale * side))
        cv2.polylines(colours, [points], False, edge, width + line, shift=_SHIFT)
        cv2.polylines(colours, [points], False, fill, max(1, width - line), shift=_SHIFT)
        cv2.polylines(ids, [points], False, number, width + line, shift=_SHIFT)
        return
    cv2.fillPoly(colours, [points], fill, shift=_SHIFT)
    if part.paint == "main" and thing.texture != "plain":
        _texture(colours, points, thing, palette["weave"], side)
    cv2.polylines(colours, [points], True, edge, line, shift=_SHIFT)
    cv2.fillPoly(ids, [points], number, shift=_SHIFT)
    cv2.polylines(ids, [points], True, number, line, shift=_SHIFT)


def _texture(colours: Canvas, points: NDArray[np.int32], thing: Thing, ink: RGB, side: int) -> None:
    x, y, w, h = cv2.boundingRect(points >> _SHIFT)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, side), min(y + h, side)
    if x0 >= x1 or y0 >= y1:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(mask, [points - np.array([x0, y0], np.int32) * (1 << _SHIFT)], 1, shift=_SHIFT)
    mask &= _pattern(thing.texture, side)[y0:y1, x0:x1]
    cv2.copyTo(np.full((*mask.shape, 3), ink, np.uint8), mask, colours[y0:y1, x0:x1])


@lru_cache(maxsize=16)
def _pattern(texture: str, side: int) -> Canvas:
    """Where the second tone of a texture shows, [side, side] of 0 and 1."""
    y, x = np.mgrid[:side, :side] / (_CELL * side)
    if texture == "striped":
        shows = (x + y) / math.sqrt(2) % 2 < 0.9
    elif texture == "checked":
        shows = (x // 1 + y // 1) % 2 < 1
    else:
        x = (x + y // 1.6 % 2) % 2 - 1
        y = y % 1.6 - 0.8
        shows = x * x + y * y < 0.33
    return np.asarray(shows, np.uint8)


def _shadow(colours: Canvas, thing: Thing, side: int) -> None:
    x0, _, x1, _ = THING[thing.category].bounds(thing.pose)
    half = round(0.46 * (x1 - x0) * thing.scale * side)
    middle = thing.x + (x0 + x1) / 2 * thing.scale * (-1 if thing.mirrored else 1)
    cx, cy = round(middle * side), round(thing.y * side)
    flat = max(2, half // 5)
    left, top = max(cx - half, 0), max(cy - flat, 0)
    patch = colours[top : cy + flat + 1, left : cx + half + 1]
    if not patch.size:
        return
    mask = np.zeros(patch.shape[:2], np.uint8)
    cv2.ellipse(mask, (cx - left, cy - top), (half, flat), 0, 0, 360, 1, -1)
    cv2.copyTo(cv2.convertScaleAbs(patch, alpha=0.72), mask, patch)


def _palette(thing: Thing) -> dict[str, RGB]:
    main = _scaled(COLOURS[thing.colour], thing.light)
    bright = sum(main) > 480
    return PAINTS | {
        "main": main,
        "second": COLOURS[thing.second],
        "shade": _mixed(main, (20, 16, 30), 0.25),
        "tint": _mixed(main, (255, 255, 255), 0.45),
        "weave": _mixed(main, (40, 34, 50), 0.38) if bright else _mixed(main, (255, 255, 255), 0.5),
        "skin": SKINS[thing.tone % len(SKINS)],
        "hair": HAIRS[thing.tone // len(SKINS) % len(HAIRS)],
    }


def _scaled(rgb: RGB, by: float) -> RGB:
    r, g, b = (min(255, round(c * by)) for c in rgb)
    return r, g, b


def _mixed(rgb: RGB, other: RGB, share: float) -> RGB:
    r, g, b = (round(c + (o - c) * share) for c, o in zip(rgb, other, strict=True))
    return r, g, b


def _lit(image: Canvas, scene: Scene) -> NDArray[np.uint8]:
    """Uneven light over the picture, and a little grain."""
    rng = random.Random(scene.light)
    coarse = np.array([rng.uniform(0.93, 1.12) for _ in range(16)], np.float32).reshape(4, 4)
    smooth = cv2.resize(coarse, (scene.size, scene.size), interpolation=cv2.INTER_CUBIC)
    grain = np.frombuffer(rng.randbytes(scene.size**2), np.uint8).reshape(smooth.shape)
    light = smooth + (grain.astype(np.float32) - 127.5) * np.float32(0.05 / 255)
    return np.asarray(cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U), np.uint8)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Fixed-point coordinates as OpenCV takes them; its pixel centres lie on whole numbers."""
    return np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
