"""Limbs, gaze and places: how one thing's pose fits another thing."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

from semtok.data.scenes.cast import at, bounds, category_of, drawn, moved, seen_from
from semtok.data.scenes.category import Pose
from semtok.data.scenes.figures import ARM, EYES, HEAD, PALM, SHOULDERS
from semtok.data.scenes.parts import Point, edge
from semtok.data.scenes.scene import Thing

#: Between what touches, in image sides: the outlines just meet, and nothing is hidden.
GAP = 0.007


def neutral(rng: random.Random) -> Pose:
    """Arms hanging, spread or raised, eyes straight, to a side or up: towards nothing."""
    hands = [
        None if rng.random() < 0.5 else (side * rng.uniform(0.28, 0.42), rng.uniform(-0.85, -0.35))
        for side in (-1, 1)
    ]
    gaze = rng.choice(((0.0, 0.0), (0.0, 0.0), (0.0, -1.0)))
    return Pose(hands=(hands[0], hands[1]), gaze=gaze)


def with_hand(pose: Pose, side: int, hand: Point | None) -> Pose:
    """The same pose with the hand on one side (-1 left, 1 right) somewhere else."""
    left, right = pose.hands
    return replace(pose, hands=(hand, right) if side < 0 else (left, hand))


def with_foot(pose: Pose, side: int, foot: Point) -> Pose:
    """The same pose with the foot on one side (-1 left, 1 right) somewhere else."""
    left, right = pose.feet
    return replace(pose, feet=(foot, right) if side < 0 else (left, foot))


def gaze(figure: Thing, target: Thing) -> Point:
    """Unit vector from a figure's eyes to the middle of a thing."""
    x0, y0, x1, y1 = bounds(target)
    x, y = at(figure, EYES)
    dx, dy = (x0 + x1) / 2 - x, (y0 + y1) / 2 - y
    length = max(math.hypot(dx, dy), 1e-6)
    return dx / length, dy / length


def outermost(figure: Thing, pose: Pose, side: int) -> float:
    """How far a figure in a pose reaches to a side, in its own units."""
    x0, _, x1, _ = category_of(figure).bounds(pose)
    return x1 if side > 0 else -x0


def reaching(figure: Thing, side: int, reach: float, limb: Callable[[float], Pose]) -> Pose:
    """The pose in which a figure reaches exactly so far to a side.

    Args:
        reach: in the figure's own units, at least what the rest of its body takes.
        limb: from how far out a limb ends, to the pose.
    """
    guess = reach - 0.06
    return limb(guess + reach - outermost(figure, limb(guess), side))


def rim(actor: Thing, target: Thing, side: int, y: float) -> float:
    """How far away the near rim of a target is at a height of the picture, in the actor's units.

    Args:
        side: where the target is, in the picture: -1 left, 1 right.
        y: in image sides.
    """
    x0, _, x1, _ = bounds(target)
    near = edge(drawn(target), seen_from(target, (0.0, y))[1], side if target.mirrored else -side)
    x = (x0 if side > 0 else x1) if near is None else at(target, (near, 0.0))[0]
    return side * (x - actor.x) / actor.scale


def stretched(side: int, angle: float, reach: float) -> Point:
    """The hand of an arm stretched to a side, `angle` degrees below the horizontal."""
    x, y = SHOULDERS[0 if side < 0 else 1]
    a = math.radians(angle)
    return x + side * reach * math.cos(a), y + reach * math.sin(a)


def lowered(x: float) -> Point:
    """The hand of a straight arm that hangs, so far to the left (negative) or to the right."""
    shoulder, y = SHOULDERS[0 if x < 0 else 1]
    return x, y + math.sqrt(max((2 * ARM) ** 2 - (x - shoulder) ** 2, 0.0))


def reflected(hand: Point) -> Point:
    """The hand of the arm that points as far down as this one points up: it reaches as far out."""
    return hand[0], 2 * SHOULDERS[0][1] - hand[1]


def held(figure: Thing, thing: Thing, hand: Point, side: int, share: float) -> Thing:
    """A thing in a hand: on top of it by its stem, or outside of it by the rim that faces it.

    Args:
        share: of the thing's height that is below the hand, if it has no stem.
    """
    x, y = at(figure, hand)
    if category_of(thing).stem:
        return moved(thing, x - thing.x, y - PALM * figure.scale - GAP - bounds(thing)[3])
    _, y0, _, y1 = bounds(thing)
    thing = moved(thing, 0.0, y - y1 + share * (y1 - y0))
    palm = (abs(hand[0]) + PALM) * figure.scale + GAP
    return moved(thing, side * (palm - rim(figure, thing, side, y) * figure.scale), 0.0)


def top(figure: Thing) -> float:
    """The top of a figure's head, in its own coordinates."""
    return category_of(figure).bounds()[1]


def worn(figure: Thing, thing: Thing, upturned: bool) -> Thing:
    """A thing where this figure wears it, in the figure's size; upside down in the same box."""
    category = category_of(thing)
    scale = 1.15 * HEAD * figure.scale
    # A hat lies on the head without a gap or an overlap, so that it hides as much upside down.
    above = (0.0, top(figure) - GAP / figure.scale)
    x, y = at(figure, EYES if category.worn == "eyes" else above)
    own_x, own_y = category.worn_at
    thing = replace(thing, scale=scale, x=x - own_x * scale, y=y - own_y * scale, mirrored=False)
    if not upturned:
        return thing
    bottom = bounds(thing)[3]
    thing = replace(thing, upturned=True)
    return moved(thing, 0.0, bottom - bounds(thing)[3])
