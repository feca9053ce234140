"""Backdrops: regions of stuff, clutter that nobody annotates, and where things can stand."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from semtok.data.scenes.parts import Part, cloud, oval, poly
from semtok.data.scenes.scene import Patch
from semtok.data.scenes.vocabulary import RGB, STUFF

Random = random.Random


@dataclass(frozen=True)
class Backdrop:
    """A place, in image sides, y down.

    Attributes:
        patches: back to front.
        bands: ground, sky and sea (where there is one): range of y where things stand in them.
        indoors: whether furniture is at home here.
    """

    patches: tuple[Patch, ...]
    bands: Mapping[str, tuple[float, float]]
    indoors: bool


def backdrop(rng: Random) -> Backdrop:
    """Any of the places below; a room as often as two of the others."""
    return rng.choice((*_PLACES, _room))(rng)


def _meadow(rng: Random) -> Backdrop:
    horizon = rng.uniform(0.4, 0.55)
    green = _near((126, 178, 88), rng)
    patches = [*_sky(rng), *_mountains(rng, horizon), *_forest(rng, horizon)]
    patches.append(_region("grass", green, _wave(rng, horizon, 0.025)))
    for _ in range(rng.randint(3, 6)):
        patches.append(_spot(rng, horizon, _shaded(green, rng.uniform(0.88, 1.1)), 0.3, 0.06))
    for _ in range(rng.randint(16, 30)):
        patches.append(_tuft(rng, horizon, _shaded(green, 0.72)))
    for _ in range(rng.randint(4, 16)):
        petal = rng.choice(((250, 240, 250), (250, 220, 110), (240, 150, 180), (230, 90, 80)))
        patches.append(_spot(rng, horizon, petal, 0.014, 0.014))
    return _outdoors(patches, horizon)


def _snow(rng: Random) -> Backdrop:
    horizon = rng.uniform(0.42, 0.55)
    white = _near((226, 234, 244), rng, 5)
    patches = [*_sky(rng, (176, 196, 220)), *_mountains(rng, horizon), *_forest(rng, horizon)]
    patches.append(_region("snow", white, _wave(rng, horizon, 0.03)))
    for _ in range(rng.randint(5, 9)):
        patches.append(_spot(rng, horizon, _shaded(white, rng.uniform(0.9, 1.04)), 0.34, 0.05))
    for _ in range(rng.randint(5, 14)):
        patches.append(_spot(rng, horizon, (150, 156, 170), 0.03, 0.02))
    for _ in range(rng.randint(15, 35)):
        patches.append(_spot(rng, 0.0, (252, 252, 255), 0.012, 0.012))
    return _outdoors(patches, horizon)


def _beach(rng: Random) -> Backdrop:
    horizon = rng.uniform(0.3, 0.4)
    shore = horizon + rng.uniform(0.14, 0.2)
    sea, sand = _near((70, 150, 196), rng), _near((232, 208, 156), rng)
    patches = [*_sky(rng), *_mountains(rng, horizon)]
    patches.append(_region("sea", sea, [(0, horizon), (1, horizon)]))
    for _ in range(rng.randint(8, 16)):
        x, y = rng.random(), rng.uniform(horizon, shore)
        patches.append(_patch(oval(x, y, rng.uniform(0.05, 0.16), 0.008, ""), _shaded(sea, 1.22)))
    patches.append(_region("sand", sand, _wave(rng, shore, 0.02)))
    for _ in range(rng.randint(3, 6)):
        patches.append(_spot(rng, shore + 0.04, _shaded(sand, rng.uniform(0.9, 1.06)), 0.3, 0.05))
    for _ in range(rng.randint(12, 30)):
        shell = rng.choice(((250, 236, 220), (214, 150, 130), (160, 140, 120), (236, 196, 200)))
        patches.append(_spot(rng, shore + 0.03, shell, 0.02, 0.014))
    ground = _outdoors(patches, shore)
    return Backdrop(ground.patches, {**ground.bands, "sea": (horizon + 0.05, shore)}, False)


def _desert(rng: Random) -> Backdrop:
    horizon = rng.uniform(0.42, 0.55)
    sand = _near((222, 172, 112), rng)
    patches = [*_sky(rng, (240, 206, 160)), *_mountains(rng, horizon, (180, 112, 84))]
    patches.append(_region("sand", sand, _wave(rng, horizon, 0.03)))
    for _ in range(rng.randint(6, 10)):
        patches.append(_spot(rng, horizon, _shaded(sand, rng.uniform(0.86, 1.08)), 0.36, 0.04))
    for _ in range(rng.randint(10, 24)):
        patches.append(_spot(rng, horizon, _near((150, 112, 84), rng), 0.035, 0.022))
    for _ in range(rng.randint(4, 12)):
        patches.append(_tuft(rng, horizon, (128, 122, 70)))
    return _outdoors(patches, horizon)


def _street(rng: Random) -> Backdrop:
    horizon = rng.uniform(0.46, 0.54)
    kerb = horizon + rng.uniform(0.1, 0.2)
    patches = [*_sky(rng)]
    x = -rng.uniform(0.0, 0.1)
    while x < 1:
        patches += _house(rng, x, wide := rng.uniform(0.2, 0.36), horizon)
        x += wide + rng.choice((0.0, 0.0, 0.06))
    pavement, road = _near((178, 172, 164), rng), _near((104, 106, 114), rng)
    patches.append(_region("pavement", pavement, [(0, horizon), (1, horizon)]))
    for i in range(12):
        left, right = i / 11 - 0.02, i / 11
        slab = poly(
            "", (right, horizon), (right + 0.006, horizon), (left, kerb), (left - 0.006, kerb)
        )
        patches.append(_patch(slab, _shaded(pavement, 0.86)))
    patches.append(_region("road", road, [(0, kerb), (1, kerb)]))
    start = rng.uniform(-0.2, 0.0)
    middle = (kerb + 1) / 2
    for i in range(5):
        patches.append(_bar(start + 0.27 * i, middle, 0.15, 0.018, (232, 226, 200)))
    for _ in range(rng.randint(12, 26)):
        litter = rng.choice(((70, 70, 76), (130, 130, 136), (196, 190, 180), (170, 150, 110)))
        patches.append(_spot(rng, horizon + 0.02, litter, 0.03, 0.014))
    return _outdoors(patches, horizon)


def _room(rng: Random) -> Backdrop:
    horizon = rng.uniform(0.5, 0.6)
    wall = _near(
        rng.choice(((214, 200, 176), (178, 200, 206), (204, 186, 204), (196, 206, 174))), rng
    )
    floor = _near(rng.choice(((176, 128, 84), (150, 112, 82), (198, 178, 150))), rng)
    patches = [_region("wall", wall, [(0, 0), (1, 0)])]
    step = rng.uniform(0.07, 0.12)
    for i in range(round(1 / step) + 1):
        patches.append(_bar(i * step, 0, step * 0.4, horizon, _shaded(wall, 0.94)))
    for i in range(rng.randint(1, 3)):
        patches += _picture(rng, 0.12 + 0.34 * i + rng.uniform(0, 0.1), rng.uniform(0.08, 0.2))
    patches.append(_region("floor", floor, [(0, horizon), (1, horizon)]))
    patches.append(_bar(0, horizon - 0.02, 1, 0.02, _shaded(wall, 0.7)))
    for i in range(1, 6):
        y = horizon + (1 - horizon) * (i / 6) ** 1.4
        patches.append(_bar(0, y, 1, 0.006, _shaded(floor, 0.82)))
        for _ in range(2):
            patches.append(_bar(rng.random(), y, 0.006, 0.06, _shaded(floor, 0.82)))
    if rng.random() < 0.6:
        rug = _near(rng.choice(((170, 96, 96), (98, 116, 150), (120, 140, 104))), rng)
        x, y, wide = rng.uniform(0.3, 0.7), rng.uniform(horizon + 0.16, 0.88), rng.uniform(0.5, 0.8)
        for k, shade in ((1.0, 1.0), (0.84, 1.18), (0.74, 0.94)):
            part = oval(x, y, wide * k, 0.2 * k, "")
            patches.append(_patch(part, _shaded(rug, shade), "rug" if k == 1 else None))
    bands = {"ground": (horizon + 0.1, 0.97), "sky": (0.14, 0.4)}
    return Backdrop(tuple(patches), bands, True)


_PLACES: tuple[Callable[[Random], Backdrop], ...] = (
    _meadow,
    _snow,
    _beach,
    _desert,
    _street,
    _room,
)


def _outdoors(patches: list[Patch], horizon: float) -> Backdrop:
    bands = {"ground": (horizon + 0.08, 0.97), "sky": (0.16, max(0.3, horizon - 0.08))}
    return Backdrop(tuple(patches), bands, False)


def _sky(rng: Random, rgb: RGB = (160, 206, 240)) -> list[Patch]:
    blue = _near(rgb, rng)
    patches = [_region("sky", blue, [(0, 0), (1, 0)])]
    if rng.random() < 0.4:
        patches.append(
            _patch(oval(rng.random(), rng.uniform(0.06, 0.2), 0.14, 0.14, ""), (255, 236, 150))
        )
    for _ in range(rng.randint(1, 4)):
        x, y, wide = rng.random(), rng.uniform(0.03, 0.3), rng.uniform(0.14, 0.36)
        patches.append(_patch(cloud(x, y, wide, wide * 0.36, "", 7), _shaded(blue, 1.28)))
    return patches


def _mountains(rng: Random, horizon: float, rgb: RGB = (140, 148, 176)) -> list[Patch]:
    patches = []
    for _ in range(rng.choice((0, 1, 2, 3))):
        x, half, high = rng.random(), rng.uniform(0.16, 0.34), rng.uniform(0.12, 0.26)
        top, foot = horizon - high, horizon + 0.04
        rock = _near(rgb, rng)
        peak = poly(
            "", (x - half, foot), (x - 0.1 * half, top), (x + 0.1 * half, top), (x + half, foot)
        )
        side = poly("", (x + 0.1 * half, top), (x + half, foot), (x + 0.2 * half, foot))
        patches += [_patch(peak, rock, "mountain"), _patch(side, _shaded(rock, 0.86))]
    return patches


def _forest(rng: Random, horizon: float) -> list[Patch]:
    if rng.random() < 0.4:
        return []
    patches = []
    x, end = rng.uniform(-0.1, 0.3), rng.uniform(0.6, 1.1)
    while x < end:
        high = rng.uniform(0.1, 0.17)
        crown = cloud(x, horizon - high * 0.35, 0.13, high, "", 6)
        patches.append(_patch(crown, _near((72, 118, 76), rng), "forest"))
        x += rng.uniform(0.06, 0.09)
    return patches


def _house(rng: Random, x: float, wide: float, horizon: float) -> list[Patch]:
    paint = _near(
        rng.choice(((190, 120, 100), (206, 184, 140), (150, 160, 176), (176, 150, 160))), rng
    )
    top = rng.uniform(0.06, 0.26)
    front = _bar(x, top, wide, horizon + 0.01 - top, paint)
    patches = [Patch(front.points, paint, STUFF.index("building"))]
    patches.append(_bar(x, top, wide, 0.02, _shaded(paint, 0.7)))
    columns = max(2, round(wide / 0.085))
    y = top + 0.05
    while y < horizon - 0.08:
        for i in range(columns):
            left = x + wide * (i + 0.5) / columns - 0.02
            pane = rng.choice(((90, 110, 136), (120, 142, 164), (240, 220, 150)))
            patches.append(_bar(left, y, 0.04, 0.055, pane))
        y += 0.09
    return patches


def _picture(rng: Random, x: float, y: float) -> list[Patch]:
    wide, high = rng.uniform(0.12, 0.22), rng.uniform(0.12, 0.2)
    frame = _bar(x, y, wide, high, (122, 88, 60))
    inside = _bar(x + 0.015, y + 0.015, wide - 0.03, high - 0.03, _near((190, 214, 226), rng))
    hill = poly(
        "",
        (x + 0.015, y + high - 0.015),
        (x + wide / 2, y + high / 2),
        (x + wide - 0.015, y + high - 0.015),
    )
    return [frame, inside, _patch(hill, _near((120, 150, 110), rng))]


def _region(stuff: str, rgb: RGB, top: list[tuple[float, float]]) -> Patch:
    """Everything below a line."""
    return Patch((*top, (1.01, 1.01), (-0.01, 1.01)), rgb, STUFF.index(stuff))


def _wave(rng: Random, y: float, high: float) -> list[tuple[float, float]]:
    phase, waves = rng.uniform(0, 6.3), rng.uniform(3, 9)
    return [(i / 16, y + high * math.sin(phase + waves * i / 16)) for i in range(17)]


def _spot(rng: Random, above: float, rgb: RGB, wide: float, high: float) -> Patch:
    """An ellipse anywhere below `above`, of up to this size."""
    k = rng.uniform(0.5, 1.0)
    x, y = rng.random(), rng.uniform(above + 0.03, 1.0)
    return _patch(oval(x, y, wide * k, high * k, ""), rgb)


def _tuft(rng: Random, above: float, rgb: RGB) -> Patch:
    x, y, k = rng.random(), rng.uniform(above + 0.06, 1.0), rng.uniform(0.6, 1.2)
    tips = (
        *((-0.02, 0.0), (-0.024, -0.026), (-0.008, -0.01), (0.0, -0.036)),
        *((0.008, -0.01), (0.024, -0.026), (0.02, 0.0)),
    )
    return Patch(tuple((x + k * dx, y + k * dy) for dx, dy in tips), rgb)


def _bar(x: float, y: float, wide: float, high: float, rgb: RGB) -> Patch:
    return Patch(((x, y), (x + wide, y), (x + wide, y + high), (x, y + high)), rgb)


def _patch(part: Part, rgb: RGB, stuff: str | None = None) -> Patch:
    return Patch(part.points, rgb, None if stuff is None else STUFF.index(stuff))


def _near(rgb: RGB, rng: Random, by: int = 12) -> RGB:
    r, g, b = (min(255, max(0, c + rng.randint(-by, by))) for c in rgb)
    return r, g, b


def _shaded(rgb: RGB, by: float) -> RGB:
    r, g, b = (min(255, round(c * by)) for c in rgb)
    return r, g, b
