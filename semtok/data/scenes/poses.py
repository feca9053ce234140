"""Limbs, gaze and places: how one thing's pose fits another thing."""

import math
import random
from dataclasses import replace

from semtok.data.scenes.cast import at, bounds, category_of, drawn, moved, seen_from
from semtok.data.scenes.category import Pose
from semtok.data.scenes.figures import FACE, HEAD, SHOULDERS, TOP, WORN_AT
from semtok.data.scenes.parts import Point, edge
from semtok.data.scenes.scene import Thing

Hands = tuple[Point | None, Point | None]


def neutral(rng: random.Random) -> Pose:
    """Arms hanging, spread or raised, eyes straight, to a side or up: towards nothing."""
    hands = [
        None if rng.random() < 0.5 else (side * rng.uniform(0.28, 0.42), rng.uniform(-0.85, -0.35))
        for side in (-1, 1)
    ]
    gaze = rng.choice(((0.0, 0.0), (0.0, 0.0), (0.0, -1.0)))
    return Pose(hands=(hands[0], hands[1]), gaze=gaze)


def with_hand(pose: Pose, side: int, hand: Point) -> Pose:
    """The same pose with the hand on one side (-1 left, 1 right) somewhere else."""
    left, right = pose.hands
    return replace(pose, hands=(hand, right) if side < 0 else (left, hand))


def gaze(figure: Thing, target: Thing) -> Point:
    """Unit vector from a figure's eyes to the middle of a thing."""
    x0, y0, x1, y1 = bounds(target)
    x, y = at(figure, FACE)
    dx, dy = (x0 + x1) / 2 - x, (y0 + y1) / 2 - y
    length = max(math.hypot(dx, dy), 1e-6)
    return dx / length, dy / length


def touch(actor: Thing, target: Thing, side: int, height: float) -> Point:
    """Where the actor meets the near rim of a thing on its side, in the actor's coordinates.

    Args:
        side: where the target is, in the picture.
        height: wished height of the point, in units of the actor; lower where the target is low.
    """
    x0, y0, x1, y1 = bounds(target)
    y = max(actor.y - height * actor.scale, y0 + 0.2 * (y1 - y0))
    near = edge(drawn(target), seen_from(target, (0.0, y))[1], side if target.mirrored else -side)
    x = x0 if side > 0 else x1
    if near is not None:
        x = at(target, (near, 0.0))[0]
    return seen_from(actor, (x + side * 0.04 * actor.scale, y))


def stretched(side: int, angle: float, reach: float) -> Point:
    """The hand of an arm stretched to a side, `angle` degrees below the horizontal."""
    x, y = SHOULDERS[0 if side < 0 else 1]
    a = math.radians(angle)
    return x + side * reach * math.cos(a), y + reach * math.sin(a)


def held(figure: Thing, thing: Thing, hand: Point, side: int, angle: float) -> Thing:
    """A thing in a hand: held by its stem, or by the rim that faces the arm."""
    x, y = at(figure, hand)
    if category_of(thing).stem:
        return moved(thing, x - thing.x, y + 0.12 * thing.scale - thing.y)
    x0, y0, x1, y1 = bounds(thing)
    dx, dy = side * math.cos(math.radians(angle)), math.sin(math.radians(angle))
    rim = min((x1 - x0) / 2 / max(abs(dx), 1e-3), (y1 - y0) / 2 / max(abs(dy), 1e-3))
    return moved(thing, x + 0.8 * rim * dx - (x0 + x1) / 2, y + 0.8 * rim * dy - (y0 + y1) / 2)


def worn(figure: Thing, thing: Thing) -> Thing:
    """A thing where this figure wears it, in the figure's size."""
    category = category_of(thing)
    scale = 1.15 * HEAD * figure.scale
    x, y = at(figure, WORN_AT[category.worn or "crown"])
    own_x, own_y = category.worn_at
    return replace(thing, scale=scale, x=x - own_x * scale, y=y - own_y * scale, mirrored=False)


def carried(figure: Thing, load: Thing) -> tuple[Thing, Thing]:
    """A figure with a load on its head, both hands at the load."""
    x, y = at(figure, (0.0, TOP))
    x0, _, x1, bottom = bounds(load)
    load = moved(load, x - (x0 + x1) / 2, y - bottom)
    half = max(min((x1 - x0) / 2 / figure.scale, 0.26), 0.12)
    hands: Hands = ((-half, TOP - 0.03), (half, TOP - 0.03))
    return replace(figure, pose=replace(figure.pose, hands=hands)), load
