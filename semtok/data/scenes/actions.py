"""Every encounter; here those of figures with what is beside them, at hand, or on their heads."""

import math
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from typing import Any

from semtok.data.scenes.cast import Cast, Group, at, bounds, moved, seen_from
from semtok.data.scenes.category import Category, Pose
from semtok.data.scenes.encounter import Encounter, Pair, acted, layered
from semtok.data.scenes.figures import PALM
from semtok.data.scenes.mounts import CHASE, SADDLE, SEAT, STAND
from semtok.data.scenes.parts import Point
from semtok.data.scenes.poses import (
    GAP,
    gaze,
    held,
    lowered,
    neutral,
    outermost,
    reaching,
    reflected,
    rim,
    stretched,
    top,
    with_foot,
    with_hand,
    worn,
)
from semtok.data.scenes.scene import Relation, Thing


def _beside(cast: Cast) -> Pair:
    """A figure and something movable on the ground at its side, which it reaches."""
    rng = cast.rng
    figure = cast.thing(cast.pick(lambda category: category.hands))
    target = cast.thing(cast.pick(lambda category: category.movable))
    side = rng.choice((-1, 1))
    x0, _, x1, _ = bounds(target)
    away = rng.uniform(0.36, 0.44) * figure.scale
    target = moved(target, side * away - (x0 if side > 0 else x1), rng.uniform(-0.02, 0.02))
    high = min(0.42, (figure.y - bounds(target)[1]) / figure.scale - 0.05)
    heights = [-rng.uniform(min(0.2, 0.6 * high), high) for _ in range(3)]
    reach, height = min((rim(figure, target, side, at(figure, (0, y))[1]), y) for y in heights)
    reach += 0.01  # limbs lie over the rim that they touch
    aside = max((_clear(figure, target, side, y), y) for y in (-0.8, -0.7, -0.3, -0.2))[1]
    pose = neutral(rng)
    glances, extras = rng.random() < _GLANCES, []
    if rng.random() < _DRESSED:
        deed = rng.choice(("wearing", "holding"))
        pose, thing = _dressed(cast, replace(figure, pose=pose), -side)[deed]
        extras.append((thing, deed))
    pose = with_hand(pose, side, None)
    figure = replace(figure, pose=pose)
    return Pair(figure, target, side, reach, height, aside, glances, tuple(extras))


def _clear(figure: Thing, target: Thing, side: int, height: float) -> float:
    """How far a hand can reach at a height, in the figure's units."""
    y = at(figure, (0.0, height))[1]
    return rim(figure, target, side, y) if y > bounds(target)[1] - GAP else math.inf


def _push(pair: Pair) -> Group:
    return _reached(pair, "pushing", lambda x: _hand(pair, x, pair.height))


def _pull(pair: Pair) -> Group:
    hand = (pair.side * 0.1, -0.44)
    pose = with_hand(pair.figure.pose, pair.side, hand)
    return _reached(
        pair, "pulling", lambda x: replace(pose, rope=(hand, (pair.side * x, pair.height)))
    )


def _kick(pair: Pair) -> Group:
    pose = pair.figure.pose
    return _reached(
        pair, "kicking", lambda x: with_foot(pose, pair.side, (pair.side * x, pair.height))
    )


def _point(pair: Pair) -> Group:
    return _reached(
        pair,
        "looking at",
        lambda x: replace(_hand(pair, x, pair.aside), gaze=gaze(pair.figure, pair.target)),
    )


def _hand(pair: Pair, x: float, y: float) -> Pose:
    return with_hand(pair.figure.pose, pair.side, (pair.side * x, y))


def _reached(pair: Pair, deed: str, limb: Callable[[float], Pose]) -> Group:
    return acted(pair, deed, reaching(pair.figure, pair.side, pair.reach, limb))


def _at_hand(cast: Cast) -> Pair:
    """Something in the air to a side of a figure, above or below its shoulder, at arm's length."""
    rng = cast.rng
    figure = cast.thing(cast.pick(lambda category: category.hands))
    kind = cast.pick(lambda category: category.handy)
    target, side = replace(cast.thing(kind), grounded=False), rng.choice((-1, 1))
    low = not kind.stem and rng.random() < 0.35
    angle = rng.uniform(32, 50) if low else -rng.uniform(35, 58)
    hand = stretched(side, angle, rng.uniform(0.3, 0.35))
    target = held(
        figure, target, hand, side, rng.uniform(0.6, 0.8) if low else rng.uniform(0.2, 0.4)
    )
    pose = with_hand(Pose(gaze=neutral(rng).gaze), -side, lowered(-side * 0.13))
    figure = replace(figure, pose=with_hand(pose, side, hand))
    glances = rng.random() < _GLANCES
    return Pair(figure, target, side, abs(hand[0]), hand[1], reflected(hand)[1], glances)


def _hold(pair: Pair) -> Group:
    return acted(pair, "holding", pair.figure.pose)


def _carry(pair: Pair) -> Group:
    """Both hands at it, one just under the other."""
    near = bounds(pair.target)[0 if pair.side > 0 else 2] - pair.side * GAP
    beside = pair.side * seen_from(pair.figure, (near, 0.0))[0] - PALM
    reach = max(min(pair.reach - 0.01, beside), 0.2)  # nearer, an elbow would stick out
    other = (pair.side * reach, pair.height + 0.08)
    return acted(pair, "carrying", with_hand(pair.figure.pose, -pair.side, other))


def _throw(pair: Pair) -> Group:
    """It flies from the hand that has swung on."""
    pose = _swung(pair)
    hand = pose.hands[0 if pair.side < 0 else 1] or (0.0, 0.0)
    x0, y0, x1, y1 = bounds(pair.target)
    x, y = seen_from(pair.figure, ((x0 + x1) / 2, (y0 + y1) / 2))
    length = math.hypot(x - hand[0], y - hand[1])
    dx, dy = (x - hand[0]) / length, (y - hand[1]) / length
    end = length - 0.5 * (y1 - y0) / pair.figure.scale
    streak = (_along(hand, dx, dy, 0.07), _along(hand, dx, dy, max(end, 0.14)))
    return acted(pair, "throwing", replace(pose, streak=streak))


def _watch(pair: Pair) -> Group:
    return acted(pair, "looking at", replace(_swung(pair), gaze=gaze(pair.figure, pair.target)))


def _swung(pair: Pair) -> Pose:
    """The arm that points as far down as it would up, or as far up as it would down."""
    return with_hand(pair.figure.pose, pair.side, (pair.side * pair.reach, pair.aside))


def _along(start: Point, dx: float, dy: float, by: float) -> Point:
    return start[0] + by * dx, start[1] + by * dy


def _on_head(cast: Cast) -> dict[str, Group]:
    """A figure by itself with something on its head."""
    figure = cast.thing(cast.pick(lambda category: category.hands))
    figure = replace(figure, pose=neutral(cast.rng))
    return {
        deed: Group(layered((replace(figure, pose=pose), thing)), (Relation(0, deed, 1),))
        for deed, (pose, thing) in _dressed(cast, figure, cast.rng.choice((-1, 1))).items()
    }


def _dressed(cast: Cast, figure: Thing, side: int) -> dict[str, tuple[Pose, Thing]]:
    """A thing on a figure's head, worn, or upside down and held; the arm reaches as far.

    Args:
        side: whose hand is free: -1 left, 1 right.
    """
    straight = figure.pose.gaze == (0.0, 0.0)  # glasses would hide where the eyes look
    kind = cast.pick(lambda category: category.worn and (straight or category.worn != "eyes"))
    thing = replace(cast.thing(kind, (figure.size,)), grounded=False)
    grip = (side * 0.11, -0.725) if kind.worn == "eyes" else (side * 0.13, top(figure) + 0.06)
    holds = with_hand(figure.pose, side, grip)
    reach = outermost(figure, holds, side)
    wears = reaching(figure, side, reach, lambda x: with_hand(holds, side, lowered(side * x)))
    return {
        "wearing": (wears, worn(figure, thing, upturned=False)),
        "holding": (holds, worn(figure, thing, upturned=True)),
    }


def _alone(cast: Cast) -> Group:
    """Anything by itself."""
    rng = cast.rng
    place = rng.choices(cast.places, [_PLACES[each] for each in cast.places])[0]
    shy = rng.random() < 0.6
    kind = cast.pick(lambda each: each.place == place and not (shy and _plays(each)))
    thing = cast.thing(kind)
    if kind.hands:
        thing = replace(thing, pose=neutral(rng))
    if kind.harness:
        thing = replace(thing, pose=Pose(running=rng.random() < 0.3))
    return Group(layered((thing,)), place=kind.place)


#: How often something by itself is found where.
_PLACES = {"ground": 0.65, "sky": 0.25, "sea": 0.1}


def _plays(category: Category) -> bool:
    """Whether other encounters bring it."""
    return bool(category.hands or category.harness or category.movable or category.surface)


def _upon(cast: Cast) -> Group:
    """One or two handy things on top of something."""
    rng = cast.rng
    below = cast.pick(lambda category: category.surface)
    base = cast.thing(below, ("medium", "large"))
    half, top = below.surface or (0.0, 0.0)
    things, relations = [base], []
    for spot in rng.choice(((0.0,), (-0.5, 0.5))):
        thing = cast.thing(cast.pick(lambda category: category.handy), ("small", "medium"))
        x, y = at(base, (half * (spot + rng.uniform(-0.2, 0.2)), top))
        thing = replace(thing, grounded=False)
        relations.append(Relation(len(things), "on", 0))
        things.append(moved(thing, x, y - max(bounds(thing)[3], 0.0) + 0.004))
    return Group(layered(tuple(things)), tuple(relations))


_GLANCES = 0.3  # how often a figure looks at what it acts on
_DRESSED = 0.35  # how often it has something on its head besides

BESIDE = Encounter(
    _beside, {"pushing": _push, "pulling": _pull, "kicking": _kick, "looking at": _point}
)
AT_HAND = Encounter(
    _at_hand, {"holding": _hold, "carrying": _carry, "throwing": _throw, "looking at": _watch}
)
ON_HEAD = Encounter(_on_head, {deed: itemgetter(deed) for deed in ("wearing", "holding")})

#: Encounters in which one thing acts on another.
ACTING: dict[str, Encounter[Any]] = {
    "beside": BESIDE,
    "at hand": AT_HAND,
    "on head": ON_HEAD,
    "saddle": SADDLE,
    "stand": STAND,
    "seat": SEAT,
    "chase": CHASE,
}

#: Every encounter and its weight.
ENCOUNTERS: tuple[tuple[Callable[[Cast], Group], float], ...] = (
    (_alone, 3.0),
    (_upon, 1.0),
    (BESIDE, 1.8),
    (AT_HAND, 1.8),
    (ON_HEAD, 0.8),
    (SADDLE, 0.7),
    (STAND, 0.6),
    (SEAT, 0.8),
    (CHASE, 1.2),
)
