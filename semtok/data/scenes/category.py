"""What a category is: its parts and the roles that it can play in an action."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from semtok.data.scenes.parts import Part, Parts, Point, bounds

#: The paints of what is drawn over the picture and belongs to no thing.
TRACES = ("trace", "cord")


@dataclass(frozen=True)
class Pose:
    """How a thing that can move holds itself, in its own coordinates (see `parts.py`).

    Attributes:
        hands: where the left and the right hand are; None: hanging.
        feet: the same for the feet; None: standing.
        gaze: unit vector that the eyes follow; (0, 0): straight at the viewer.
        astride: knees apart, as on a mount or a seat.
        running: an animal's legs in full stride.
        rope: both ends of a rope, or None.
        cord: both ends of a rope between two things, which belongs to neither, or None.
        streak: where the trace of something thrown begins and ends, or None.
    """

    hands: tuple[Point | None, Point | None] = (None, None)
    feet: tuple[Point | None, Point | None] = (None, None)
    gaze: Point = (0.0, 0.0)
    astride: bool = False
    running: bool = False
    rope: tuple[Point, Point] | None = None
    cord: tuple[Point, Point] | None = None
    streak: tuple[Point, Point] | None = None


STANDING = Pose()


@dataclass(frozen=True)
class Category:
    """A kind of thing.

    A role is played by the categories that have what it needs; nothing else must be said.

    Attributes:
        parts: back to front; a function of the pose where the thing can move.
        extent: usual length of one unit of the thing's coordinates, in image sides.
        indoors: where it is at home; None: anywhere.
        place: the band of the backdrop it stands in: ground, sky or sea.
        stem: held by its lower end.
        handy: can be held, thrown, carried in both hands, and put on a surface.
        movable: can be pulled, pushed and kicked.
        surface: half the width and the height of a flat top that carries things.
        seat: where a figure sits on it.
        saddle: where a figure rides it.
        harness: where a rope is tied to it; what has one can pull and run.
        worn: where a figure wears it: crown or eyes.
        worn_at: the point of its own coordinates that lies there.
        hands: has the body of a figure: acts with hands, feet and eyes.
        clothed: its colour and texture are those of its clothes.
        singular: how captions call one, where it is not the name.
        plural: how they call several, where it is not the name with an s.
    """

    name: str
    supercategory: str
    extent: float
    parts: Parts | Callable[[Pose], Parts]
    indoors: bool | None = None
    place: str = "ground"
    stem: bool = False
    handy: bool = False
    movable: bool = False
    surface: Point | None = None
    seat: Point | None = None
    saddle: Point | None = None
    harness: Point | None = None
    worn: str | None = None
    worn_at: Point = (0.0, 0.0)
    hands: bool = False
    clothed: bool = False
    singular: str | None = None
    plural: str | None = None

    def drawn(self, pose: Pose = STANDING) -> Parts:
        """The parts in this pose, back to front."""
        return self.parts(pose) if callable(self.parts) else self.parts

    def bounds(self, pose: Pose = STANDING) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in its own coordinates, of what belongs to it."""
        if not callable(self.parts):
            return self._fixed_bounds
        return bounds(part for part in self.parts(pose) if part.paint not in TRACES)

    @cached_property
    def _fixed_bounds(self) -> tuple[float, float, float, float]:
        return bounds(self.drawn())


def streaks(pose: Pose) -> tuple[Part, ...]:
    """Three lines along the flight of what a figure throws; they belong to no thing's pixels."""
    if pose.streak is None:
        return ()
    (x0, y0), (x1, y1) = pose.streak
    length = max(math.hypot(x1 - x0, y1 - y0), 1e-6)
    dx, dy = -(y1 - y0) / length, (x1 - x0) / length
    return tuple(
        Part(((x0 + k * dx, y0 + k * dy), (x1 + k * dx, y1 + k * dy)), "trace", 0.02, front=True)
        for k in (-0.07, 0.0, 0.07)
    )


def rope(pose: Pose) -> tuple[Part, ...]:
    """The ropes of a pose, sagging a little."""
    return tuple(
        Part(
            (start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.04), end),
            paint,
            0.045,
            front=True,
        )
        for paint, ends in (("rope", pose.rope), ("cord", pose.cord))
        if ends
        for start, end in [ends]
    )
