"""Encounters with what is ridden, sat on and stood on, and of animals with what they chase."""

from dataclasses import dataclass, replace

from semtok.data.scenes.cast import Cast, Group, at, bounds, category_of, moved, seen_from
from semtok.data.scenes.category import Pose
from semtok.data.scenes.encounter import NOTHING, Encounter, layered
from semtok.data.scenes.figures import HIP
from semtok.data.scenes.parts import Point
from semtok.data.scenes.poses import neutral, rim, with_hand
from semtok.data.scenes.scene import Relation, Thing

_TRIALS = 40  # to find two things that fit


@dataclass(frozen=True)
class _Mounted:
    """A figure in its place, the mount, and where its head is: -1 left, 1 right."""

    figure: Thing
    mount: Thing
    side: int
    reins: tuple[Point, Point]  # from the figure's hand to the mount, in the figure's coordinates


def _seated_high(cast: Cast) -> _Mounted:
    """The hips on a saddle."""
    return _on_saddle(cast, -HIP)


def _standing_high(cast: Cast) -> _Mounted:
    """The feet on a saddle."""
    return _on_saddle(cast, 0.04)


def _on_saddle(cast: Cast, below: float) -> _Mounted:
    """A figure over a saddle, its feet so far below, in its own units; a hand at the reins."""
    rng = cast.rng
    kind = cast.pick(lambda category: category.saddle)
    mount = cast.thing(kind, ("medium", "large"))
    figure = cast.thing(cast.pick(lambda category: category.hands), ("small", "medium"))
    if kind.harness:
        mount = replace(mount, pose=Pose(running=rng.random() < 0.5))
    saddle, side = kind.saddle or (0.0, 0.0), -1 if mount.mirrored else 1
    x, y = at(mount, saddle)
    figure = replace(moved(figure, x, y + below * figure.scale), grounded=False)
    bit = seen_from(figure, at(mount, kind.harness or (saddle[0] + 0.26, saddle[1] + 0.02)))
    hand = (side * min(max(side * bit[0] + 0.02, 0.32), 0.5), rng.uniform(-0.46, -0.36))
    bit = (side * min(side * bit[0], abs(hand[0])), min(max(bit[1], hand[1] + 0.1), -0.07))
    figure = replace(figure, pose=with_hand(neutral(rng), side, hand))
    return _Mounted(figure, mount, side, (hand, bit))


def _ride(mounted: _Mounted) -> Group:
    feet = ((-0.16, -0.08), (0.16, -0.08))
    pose = replace(mounted.figure.pose, astride=True, feet=feet, rope=mounted.reins)
    return _mounted(mounted, "riding", pose)


def _ride_upright(mounted: _Mounted) -> Group:
    feet = ((-0.14, -0.035), (0.14, -0.035))
    pose = replace(mounted.figure.pose, astride=True, feet=feet, rope=mounted.reins)
    return _mounted(mounted, "riding", pose)


def _sit_sideways(mounted: _Mounted) -> Group:
    near, far = ((mounted.side * x, -0.08) for x in (0.06, 0.2))
    pose = replace(mounted.figure.pose, feet=(near, far) if mounted.side > 0 else (far, near))
    return _mounted(mounted, "sitting on", pose)


def _stand(mounted: _Mounted) -> Group:
    return _mounted(mounted, "standing on", mounted.figure.pose)


def _on_seat(cast: Cast) -> _Mounted:
    """A figure before something to sit on, feet on the ground, hips at the seat."""
    rng = cast.rng
    for _ in range(_TRIALS):
        kind = cast.pick(lambda category: category.seat)
        mount = cast.thing(kind)
        figure = cast.thing(cast.pick(lambda category: category.hands))
        x, y = at(mount, kind.seat or (0.0, 0.0))
        wide = min(x - bounds(mount)[0], bounds(mount)[2] - x)  # shows on both sides of the legs
        if 0.2 <= -y / figure.scale <= 0.42 and wide >= 0.3 * figure.scale:
            break
    figure = moved(figure, x + rng.uniform(-0.03, 0.03), rng.uniform(0.005, 0.015))
    figure = replace(figure, pose=neutral(rng))
    return _Mounted(figure, mount, 1, ((0.0, 0.0), (0.0, 0.0)))


def _sit(mounted: _Mounted) -> Group:
    feet = ((-0.12, -0.035), (0.12, -0.035))
    return _mounted(mounted, "sitting on", replace(mounted.figure.pose, astride=True, feet=feet))


def _stand_before(mounted: _Mounted) -> Group:
    return _mounted(mounted, NOTHING, mounted.figure.pose)


def _mounted(mounted: _Mounted, deed: str, pose: Pose) -> Group:
    figure = replace(mounted.figure, pose=pose)
    if deed == "sitting on":
        figure = replace(figure, grounded=False)
    relations = (Relation(0, deed, 1),) if deed != NOTHING else ()
    return Group(layered((figure, mounted.mount), order=(1, 0)), relations)


@dataclass(frozen=True)
class _Chase:
    """An animal and what is before its nose or behind its tail.

    Attributes:
        tail: where a rope would leave the animal, in image sides.
        tied: where it would meet the target.
    """

    animal: Thing
    target: Thing
    tail: Point
    tied: Point


def _nose_to_tail(cast: Cast) -> _Chase:
    """An animal in full stride and something that it may run after, pull or run away from."""
    rng = cast.rng
    side = rng.choice((-1, 1))
    animal = cast.thing(cast.pick(lambda category: category.harness))
    target = cast.thing(cast.pick(lambda category: category.harness or category.movable))
    animal = replace(animal, pose=Pose(running=True), mirrored=side < 0)
    if category_of(target).harness:
        target = replace(target, pose=Pose(running=True), mirrored=side < 0)
    a0, top, a1, bottom = bounds(animal)
    t0, _, t1, _ = bounds(target)
    away = side * rng.uniform(0.0, 0.06) + (a1 - t0 if side > 0 else a0 - t1)
    target = moved(target, away, rng.uniform(-0.02, 0.02))
    top = max(top, bounds(target)[1])
    heights = [top + share * (bottom - top) for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    reach, y = min((rim(animal, target, side, y), y) for y in heights)
    tail = (a1 if side > 0 else a0) - side * 0.035 * animal.scale  # its rope ends within its box
    return _Chase(animal, target, (tail, y), (animal.x + side * reach * animal.scale, y))


def _run_after(chase: _Chase) -> Group:
    return _chased(chase, "chasing", chase.animal)


def _tow(chase: _Chase) -> Group:
    animal = _turned(chase)
    collar = category_of(animal).harness or (0.0, 0.0)
    tail, tied = seen_from(animal, chase.tail), seen_from(animal, chase.tied)
    pose = replace(animal.pose, rope=(collar, tail), cord=(tail, tied))
    return _chased(chase, "pulling", replace(animal, pose=pose))


def _run_away(chase: _Chase) -> Group:
    return _chased(chase, NOTHING, _turned(chase))


def _turned(chase: _Chase) -> Thing:
    """The animal facing away, in the same box."""
    x0 = bounds(chase.animal)[0]
    animal = replace(chase.animal, mirrored=not chase.animal.mirrored)
    return moved(animal, x0 - bounds(animal)[0], 0.0)


def _chased(chase: _Chase, deed: str, animal: Thing) -> Group:
    relations = (Relation(0, deed, 1),) if deed != NOTHING else ()
    return Group(layered((animal, chase.target)), relations)


SADDLE = Encounter(_seated_high, {"riding": _ride, "sitting on": _sit_sideways})
STAND = Encounter(_standing_high, {"riding": _ride_upright, "standing on": _stand})
SEAT = Encounter(_on_seat, {"sitting on": _sit, NOTHING: _stand_before})
CHASE = Encounter(_nose_to_tail, {"chasing": _run_after, "pulling": _tow, NOTHING: _run_away})
