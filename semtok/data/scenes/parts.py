"""Parts: the filled outlines that every category is drawn from.

Coordinates are the category's own: x to the right, y down, the origin where the thing stands,
its larger side about 1. So y runs from -1 (top) to 0 (ground).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """One filled outline, or one thick stroke."""

    points: tuple[Point, ...]
    paint: str  # a slot of the thing (main, second, shade, ...) or a fixed paint: vocabulary.PAINTS
    width: float = 0.0  # of the stroke; 0: a filled outline
    front: bool = False  # drawn over what the thing acts on: a hand over the cup that it holds


Parts = tuple[Part, ...]


def oval(x: float, y: float, w: float, h: float, paint: str, turn: float = 0.0) -> Part:
    """An ellipse around (x, y), `w` wide and `h` high, turned by degrees."""
    return Part(_placed([(w / 2 * c, h / 2 * s) for c, s in _CIRCLE], x, y, turn), paint)


def box(
    x: float, y: float, w: float, h: float, paint: str, turn: float = 0.0, corner: float = 0.15
) -> Part:
    """A rectangle around (x, y) whose corners are rounded by a share of the shorter side."""
    r = min(w, h) * corner
    ring = [
        (cx + r * math.cos(a), cy + r * math.sin(a))
        for cx, cy, start in (
            (w / 2 - r, h / 2 - r, 0),
            (r - w / 2, h / 2 - r, 90),
            (r - w / 2, r - h / 2, 180),
            (w / 2 - r, r - h / 2, 270),
        )
        for a in _angles(start, start + 90, 3)
    ]
    return Part(_placed(ring, x, y, turn), paint)


def dome(x: float, y: float, w: float, h: float, paint: str, turn: float = 0.0) -> Part:
    """The upper half of an ellipse on the flat base around (x, y), `h` high (down if negative)."""
    ring = [(w / 2 * math.cos(a), h * math.sin(a)) for a in _angles(180, 360, 12)]
    return Part(_placed(ring, x, y, turn), paint)


def poly(paint: str, *points: Point) -> Part:
    """A polygon."""
    return Part(points, paint)


def stroke(paint: str, width: float, *points: Point, front: bool = False) -> Part:
    """A line through points, with round ends."""
    return Part(points, paint, width, front)


def arc(
    x: float, y: float, w: float, h: float, start: float, end: float, paint: str, width: float
) -> Part:
    """A stroke along an ellipse between two angles (degrees, clockwise from the right)."""
    line = [(x + w / 2 * math.cos(a), y + h / 2 * math.sin(a)) for a in _angles(start, end, 10)]
    return Part(tuple(line), paint, width)


def cloud(x: float, y: float, w: float, h: float, paint: str, bumps: int = 8) -> Part:
    """An ellipse with a scalloped rim."""
    ring = [
        (w / 2 * k * math.cos(a), h / 2 * k * math.sin(a))
        for a in _angles(0, 360, 6 * bumps)
        for k in [0.86 + 0.14 * abs(math.sin(a * bumps / 2))]
    ]
    return Part(_placed(ring, x, y, 0), paint)


def wheel(x: float, y: float, r: float, hub: str = "steel") -> Parts:
    """A tyre and its hub."""
    return oval(x, y, 2 * r, 2 * r, "rubber"), oval(x, y, r, r, hub)


def bounds(parts: Iterable[Part]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of all parts."""
    boxes = []
    for part in parts:
        xs, ys = zip(*part.points, strict=True)
        half = part.width / 2
        boxes.append((min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half))
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def edge(parts: Iterable[Part], y: float, side: int) -> float | None:
    """The outermost x of all parts at height y, on the left (-1) or on the right (1)."""
    crossings = [
        ax + (bx - ax) * (y - ay) / (by - ay) + side * part.width / 2
        for part in parts
        for (ax, ay), (bx, by) in zip(part.points, part.points[1:] + part.points[:1], strict=True)
        if (ay <= y) != (by <= y)
    ]
    return side * max(side * x for x in crossings) if crossings else None


def _angles(start: float, end: float, steps: int) -> list[float]:
    step = (end - start) / steps
    stop = steps if abs(end - start) == 360 else steps + 1
    return [math.radians(start + step * i) for i in range(stop)]


_CIRCLE = [(math.cos(a), math.sin(a)) for a in _angles(0, 360, 20)]


def _placed(ring: Sequence[Point], x: float, y: float, turn: float) -> tuple[Point, ...]:
    if not turn:
        return tuple([(x + px, y + py) for px, py in ring])
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return tuple([(x + c * px - s * py, y + s * px + c * py) for px, py in ring])
