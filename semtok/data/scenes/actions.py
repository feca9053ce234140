"""Encounters: things that act on one another, and what they do.

An encounter first draws where its things are, alike for all of its actions; then the action
draws limbs, ropes, traces and eyes. So most of what tells the actions apart is in the pixels of
a pose. Not all: a thrown ball is further away than one that is held, and two outstretched arms
reach further than one, so boxes alone do better than chance.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from semtok.data.scenes.cast import Cast, Group, at, bounds, category_of, moved
from semtok.data.scenes.category import Category, Pose
from semtok.data.scenes.figures import HIP
from semtok.data.scenes.poses import (
    carried,
    gaze,
    held,
    neutral,
    stretched,
    touch,
    with_hand,
    worn,
)
from semtok.data.scenes.scene import Relation, Thing


@dataclass(frozen=True)
class _Pair:
    """An actor, a target on one of its sides (-1 left, 1 right), and a random stream."""

    actor: Thing
    target: Thing
    side: int
    rng: random.Random


def _push(pair: _Pair, pose: Pose) -> Pose:
    high = pair.rng.uniform(0.36, 0.52)
    upper, lower = (touch(pair.actor, pair.target, pair.side, high + k) for k in (0.06, -0.06))
    return replace(pose, hands=(upper, lower) if pair.side > 0 else (lower, upper))


def _pull(pair: _Pair, pose: Pose) -> Pose:
    hand = (pair.side * 0.24, -0.42)
    end = touch(pair.actor, pair.target, pair.side, pair.rng.uniform(0.3, 0.5))
    return replace(with_hand(pose, pair.side, hand), rope=(hand, end))


def _kick(pair: _Pair, pose: Pose) -> Pose:
    foot = touch(pair.actor, pair.target, pair.side, pair.rng.uniform(0.08, 0.16))
    return replace(pose, feet=(foot, None) if pair.side < 0 else (None, foot))


def _look_beside(pair: _Pair, pose: Pose) -> Pose:
    reach, _ = touch(pair.actor, pair.target, pair.side, 0.4)
    hand = (pair.side * min(abs(reach), 0.46), -pair.rng.uniform(0.7, 0.85))
    return replace(with_hand(pose, pair.side, hand), gaze=gaze(pair.actor, pair.target))


#: What a figure can do to something movable that stands beside it.
_BESIDE: Mapping[str, Callable[[_Pair, Pose], Pose]] = {
    "pushing": _push,
    "pulling": _pull,
    "kicking": _kick,
    "looking at": _look_beside,
}


def _beside(cast: Cast) -> Group:
    """A figure and something movable on the ground at its side."""
    rng = cast.rng
    figure = cast.thing(cast.pick(lambda category: category.hands))
    target = cast.thing(cast.pick(lambda category: category.movable))
    side = rng.choice((-1, 1))
    x0, _, x1, _ = bounds(target)
    away = (0.17 + rng.uniform(0.05, 0.26)) * figure.scale
    target = moved(target, side * away - (x0 if side > 0 else x1), rng.uniform(-0.02, 0.02))
    action = rng.choice(list(_BESIDE))
    pair = _Pair(figure, target, side, rng)
    return _acted(cast, pair, action, _BESIDE[action](pair, neutral(rng)))


def _at_hand(cast: Cast) -> Group:
    """Holding something, throwing it, or looking at it in the air."""
    rng = cast.rng
    figure = cast.thing(cast.pick(lambda category: category.hands))
    action = rng.choice(("holding", "holding", "throwing", "looking at"))
    target = cast.thing(cast.pick(lambda category: category.handy))
    side, angle = rng.choice((-1, 1)), rng.uniform(-65, 40)
    hand = stretched(side, angle, rng.uniform(0.24, 0.33))
    target = replace(held(figure, target, hand, side, angle), grounded=False)
    pose = with_hand(neutral(rng), side, hand)
    if action != "holding":
        flown = rng.uniform(0.17, 0.26)
        dx, dy = side * math.cos(math.radians(angle)), math.sin(math.radians(angle))
        target = moved(target, flown * figure.scale * dx, flown * figure.scale * dy)
        if action == "throwing":
            start = (hand[0] + 0.06 * dx, hand[1] + 0.06 * dy)
            pose = replace(pose, streak=(start, (hand[0] + flown * dx, hand[1] + flown * dy)))
        else:
            aside = stretched(side, angle + (55 if angle < -10 else -55), 0.3)
            pose = replace(with_hand(pose, side, aside), gaze=gaze(figure, target))
    return _acted(cast, _Pair(figure, target, side, rng), action, pose)


def _acted(cast: Cast, pair: _Pair, action: str, pose: Pose) -> Group:
    """The pair in its action; whatever a figure does, it may look at it or elsewhere."""
    relations = [Relation(0, action, 1)]
    if action != "looking at" and cast.rng.random() < 0.3:
        pose = replace(pose, gaze=gaze(pair.actor, pair.target))
        relations.append(Relation(0, "looking at", 1))
    return _dressed(cast, [replace(pair.actor, pose=pose), pair.target], relations)


def _mounted(cast: Cast) -> Group:
    """Riding, sitting on or standing on something."""
    rng = cast.rng
    role = rng.choice(("saddle", "seat", "surface"))
    below = cast.pick(lambda category: getattr(category, role))
    mount = cast.thing(below, ("medium", "large"))
    figure = cast.thing(cast.pick(lambda category: category.hands), ("small", "medium"))
    if below.harness:
        mount = replace(mount, pose=Pose(running=rng.random() < 0.5))
    sit = below.saddle or below.seat
    x, y = at(mount, sit or (0.0, _surface(below)[1]))
    pose = neutral(rng)
    if sit and rng.random() < 0.6:
        action, pose = "riding" if below.saddle else "sitting on", replace(pose, astride=True)
        y -= HIP * figure.scale
    else:
        action, y = "standing on", y + 0.02
    figure = moved(replace(figure, pose=pose, grounded=False), x, y)
    return _dressed(cast, [figure, mount], [Relation(0, action, 1)], order=[1, 0, 2])


def _chase(cast: Cast) -> Group:
    """An animal that chases another, follows it, or pulls something."""
    rng = cast.rng
    action = rng.choice(("chasing", "pulling", ""))
    side = rng.choice((-1, 1))
    animal = cast.thing(cast.pick(lambda category: category.harness))
    if action == "pulling":
        target = cast.thing(cast.pick(lambda category: category.movable))
        animal = replace(animal, mirrored=side > 0)
    else:
        stride = Pose(running=action == "chasing")
        target = cast.thing(cast.pick(lambda category: category.harness))
        animal = replace(animal, mirrored=side < 0, pose=stride)
        target = replace(target, mirrored=side < 0, pose=stride)
    a0, _, a1, _ = bounds(animal)
    t0, _, t1, _ = bounds(target)
    gap = rng.uniform(0.02, 0.1)
    target = moved(target, a1 + gap - t0 if side > 0 else a0 - gap - t1, rng.uniform(-0.02, 0.02))
    collar = category_of(animal).harness
    if action == "pulling" and collar is not None:
        rope = (collar, touch(animal, target, side, -0.8 * collar[1]))
        animal = replace(animal, pose=Pose(rope=rope))
    relations = [Relation(0, action, 1)] if action else []
    return Group(_layered([animal, target]), tuple(relations))


def _upon(cast: Cast) -> Group:
    """One or two handy things on top of something."""
    rng = cast.rng
    below = cast.pick(lambda category: category.surface)
    base = cast.thing(below, ("medium", "large"))
    half, top = _surface(below)
    things, relations = [base], []
    for spot in rng.choice(((0.0,), (-0.5, 0.5))):
        thing = cast.thing(cast.pick(lambda category: category.handy), ("small", "medium"))
        x, y = at(base, (half * (spot + rng.uniform(-0.2, 0.2)), top))
        thing = replace(thing, grounded=False)
        relations.append(Relation(len(things), "on", 0))
        things.append(moved(thing, x, y - max(bounds(thing)[3], 0.0) + 0.004))
    return Group(_layered(things), tuple(relations))


def _alone(cast: Cast) -> Group:
    """Anything by itself."""
    place = cast.rng.choices(cast.places, [_PLACES[each] for each in cast.places])[0]
    shy = cast.rng.random() < 0.6
    category = cast.pick(lambda each: each.place == place and not (shy and _plays(each)))
    thing = cast.thing(category)
    if category.hands:
        return _dressed(cast, [replace(thing, pose=neutral(cast.rng))], [])
    if category.harness:
        thing = replace(thing, pose=Pose(running=cast.rng.random() < 0.3))
    return Group(_layered([thing]), place=category.place)


#: How often something by itself is found where.
_PLACES = {"ground": 0.65, "sky": 0.25, "sea": 0.1}


def _plays(category: Category) -> bool:
    """Whether other encounters bring it."""
    return bool(category.hands or category.harness or category.movable or category.surface)


#: Every encounter and its weight.
ENCOUNTERS: tuple[tuple[Callable[[Cast], Group], float], ...] = (
    (_alone, 3.0),
    (_upon, 1.0),
    (_chase, 1.2),
    (_mounted, 1.6),
    (_at_hand, 1.8),
    (_beside, 1.8),
)


def _dressed(
    cast: Cast, things: list[Thing], relations: list[Relation], order: list[int] | None = None
) -> Group:
    """A figure (the first thing), sometimes with something that it wears or carries."""
    rng = cast.rng
    figure, last = things[0], len(things)
    chance = rng.random()
    if chance < 0.3:
        straight = figure.pose.gaze == (0.0, 0.0)  # glasses would hide where the eyes look
        kind = cast.pick(lambda category: category.worn and (straight or category.worn != "eyes"))
        thing = worn(figure, cast.thing(kind, (figure.size,)))
        relations = [*relations, Relation(0, "wearing", last)]
        things = [*things, replace(thing, grounded=False)]
    elif chance < 0.42 and not {each.predicate for each in relations} & _BUSY:
        load = cast.thing(cast.pick(lambda category: category.handy and not category.stem))
        figure, load = carried(figure, replace(load, grounded=False))
        relations = [*relations, Relation(0, "carrying", last)]
        things = [figure, *things[1:], load]
    return Group(_layered(things, order), tuple(relations))


#: What leaves a figure no hand to carry with.
_BUSY = {"holding", "throwing", "pushing", "pulling"}


def _layered(things: list[Thing], order: list[int] | None = None) -> tuple[Thing, ...]:
    """Depth within the group: in the order given, limbs that reach over everything last."""
    order = [i for i in order or range(len(things)) if i < len(things)]
    return tuple(
        replace(thing, depth=0.1 * order.index(i), reach_depth=0.8)
        for i, thing in enumerate(things)
    )


def _surface(category: Category) -> tuple[float, float]:
    return category.surface or (0.0, 0.0)
