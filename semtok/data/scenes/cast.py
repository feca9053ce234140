"""Casting: which things play a part, and how they look."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from semtok.data.scenes.catalogue import THING, THINGS
from semtok.data.scenes.category import Category
from semtok.data.scenes.held_out import HeldOut
from semtok.data.scenes.parts import Parts, Point
from semtok.data.scenes.scene import Relation, Thing
from semtok.data.scenes.vocabulary import COLOURS, SIZES, TEXTURES

#: x0, y0, x1, y1 in image sides.
Box = tuple[float, float, float, float]

_ABROAD = 0.1  # weight of what is not at home in the backdrop: a sofa on a beach


@dataclass(frozen=True)
class Group:
    """Things that act together, around the point (0, 0) where the group stands."""

    things: tuple[Thing, ...]
    relations: tuple[Relation, ...] = ()
    place: str = "ground"

    def bounds(self) -> list[Box]:
        """The box around each thing."""
        return [bounds(thing) for thing in self.things]


@dataclass(frozen=True)
class Cast:
    """Draws categories and looks at random, but for the looks that are held out."""

    rng: random.Random
    indoors: bool
    places: tuple[str, ...]
    held: HeldOut | None = None

    def pick(self, fits: Callable[[Category], object]) -> Category:
        """A category that fits, mostly one that is at home here."""
        fitting = [category for category in THINGS if fits(category) and self._possible(category)]
        weights = [
            1.0 if category.indoors in (None, self.indoors) else _ABROAD for category in fitting
        ]
        return self.rng.choices(fitting, weights)[0]

    def _possible(self, category: Category) -> bool:
        """Whether the backdrop has a place for it; what is handy can be anywhere."""
        return category.place in self.places or category.handy

    def thing(self, category: Category, sizes: tuple[str, ...] = tuple(SIZES)) -> Thing:
        """A thing of a category, at (0, 0), in random colours, texture, size and direction."""
        rng = self.rng
        colour, second = rng.sample(list(COLOURS), 2)
        size = rng.choice(sizes)
        texture = rng.choice(TEXTURES) if rng.random() < 0.66 else "plain"
        if self.held is not None:
            if colour == self.held.colour(category.name):
                colour, second = second, colour
            if texture == self.held.texture(category.name):
                texture = rng.choice([each for each in TEXTURES if each != texture])
        return Thing(
            category=category.name,
            colour=colour,
            second=second,
            texture=texture,
            size=size,
            x=0.0,
            y=0.0,
            scale=category.extent * SIZES[size],
            mirrored=not category.hands and rng.random() < 0.5,
            light=rng.uniform(0.92, 1.06),
            tone=rng.randrange(1000),
            grounded=category.place == "ground",
        )


def bounds(thing: Thing) -> Box:
    """The box around a thing."""
    x0, y0, x1, y1 = category_of(thing).bounds(thing.pose)
    if thing.mirrored:
        x0, x1 = -x1, -x0
    if thing.upturned:
        y0, y1 = -y1, -y0
    s = thing.scale
    return thing.x + s * x0, thing.y + s * y0, thing.x + s * x1, thing.y + s * y1


def drawn(thing: Thing) -> Parts:
    """The parts of a thing in its pose."""
    return category_of(thing).drawn(thing.pose)


def moved(thing: Thing, dx: float, dy: float) -> Thing:
    """The same thing somewhere else."""
    return replace(thing, x=thing.x + dx, y=thing.y + dy)


def at(thing: Thing, point: Point) -> Point:
    """A point of the thing's own coordinates, in image sides."""
    ((x, y),) = thing.to_image([point])
    return float(x), float(y)


def seen_from(thing: Thing, point: Point) -> Point:
    """A point in image sides, in the thing's own coordinates (upright things)."""
    x = (point[0] - thing.x) / thing.scale
    return -x if thing.mirrored else x, (point[1] - thing.y) / thing.scale


def category_of(thing: Thing) -> Category:
    """The category of a thing."""
    return THING[thing.category]
