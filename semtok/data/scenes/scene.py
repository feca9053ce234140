"""A scene, before it is drawn: a pure function of the seed, the image id and the size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes.category import STANDING, Pose
from semtok.data.scenes.parts import Point
from semtok.data.scenes.vocabulary import RGB


@dataclass(frozen=True)
class Thing:
    """One thing as it is drawn.

    Lengths and positions are shares of the image's side, y down.
    """

    category: str
    colour: str  # of the parts painted "main"
    second: str  # colour of the parts painted "second"; no caption names it
    texture: str
    size: str
    x: float  # where it stands
    y: float
    scale: float  # length of one unit of its category's coordinates
    depth: float = 0.0  # painter's order: higher is nearer
    reach_depth: float = 0.0  # the same, of its parts that reach over another thing
    mirrored: bool = False  # faces left
    upturned: bool = False  # upside down
    pose: Pose = STANDING
    light: float = 1.0  # factor on its main colour
    tone: int = 0  # which skin and hair
    grounded: bool = False  # stands on the ground itself, and casts a shadow there

    def to_image(self, points: Sequence[Point]) -> NDArray[np.float64]:
        """Points [N, 2] of its category's coordinates, in image sides."""
        placed = np.array(points) * self.scale
        if self.mirrored:
            placed[:, 0] = -placed[:, 0]
        if self.upturned:
            placed[:, 1] = -placed[:, 1]
        return np.asarray(placed + np.array((self.x, self.y)), np.float64)


@dataclass(frozen=True)
class Patch:
    """A piece of the backdrop: a region of stuff, or clutter that lies on one (stuff None)."""

    points: tuple[Point, ...]
    rgb: RGB
    stuff: int | None = None  # place in vocabulary.STUFF


@dataclass(frozen=True)
class Relation:
    """`subject` does `predicate` to `object`: places in the scene's list of things."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True)
class Scene:
    """What is in the picture, whether it can be seen or not."""

    size: int  # pixels a side
    backdrop: tuple[Patch, ...]
    things: tuple[Thing, ...]
    relations: tuple[Relation, ...]  # what was arranged: actions, and what stands on what
    light: int  # seed of the light and the grain
