"""Figures: they act with hands, feet and eyes. They face the viewer; a gaze turns the face."""

import math
from functools import partial

from semtok.data.scenes.category import Category, Pose, rope, streaks
from semtok.data.scenes.parts import Part, Parts, Point, box, dome, oval, poly, stroke

#: Width of every head, by which worn things are sized.
HEAD = 0.38

SHOULDERS: tuple[Point, Point] = ((-0.14, -0.55), (0.14, -0.55))
_HIPS: tuple[Point, Point] = ((-0.075, -0.29), (0.075, -0.29))
_HEAD_Y = -0.79

#: Height of the hips, from where a figure sits.
HIP = -0.29
#: Where the eyes are.
EYES: Point = (0.0, -0.775)
#: Length of an upper arm, and of a forearm.
ARM = 0.17
#: Half the width of a hand.
PALM = 0.0475


def _figure(
    pose: Pose, body: Parts, head: Parts, sleeve: str, hand: str, leg: str, shoe: str, thin: float
) -> Parts:
    shift = 0.045 * pose.gaze[0]
    eyes = tuple(
        part
        for x in (-0.075, 0.075)
        for part in (
            oval(round(x + shift, 3), _HEAD_Y + 0.01, 0.085, 0.105, "cream"),
            oval(
                round(x + shift + 0.024 * pose.gaze[0], 3),
                round(_HEAD_Y + 0.01 + 0.03 * pose.gaze[1], 3),
                0.05,
                0.06,
                "ink",
            ),
        )
    )
    mouth = stroke("ink", 0.02, (shift - 0.04, -0.69), (shift, -0.675), (shift + 0.04, -0.69))
    return (
        *_legs(pose, leg, shoe, thin),
        *_arms(pose, sleeve, hand, thin),
        *body,
        *head,
        *eyes,
        mouth,
        *rope(pose),
        *streaks(pose),
    )


def _legs(pose: Pose, paint: str, shoe: str, thin: float) -> list[Part]:
    legs = []
    for side, hip, foot in zip((-1, 1), _HIPS, pose.feet, strict=True):
        end = foot or (side * 0.085, -0.035)
        knee = ((hip[0] + end[0]) / 2, (hip[1] + end[1]) / 2)
        if pose.astride:
            knee = (side * 0.17, -0.26)
        front = foot is not None
        legs.append(stroke(paint, 0.115 * thin, hip, knee, end, front=front))
        tip = oval(end[0] + side * 0.02, end[1], 0.14 * thin, 0.07, shoe)
        legs.append(Part(tip.points, shoe, front=front))
    return legs


def _arms(pose: Pose, sleeve: str, hand: str, thin: float) -> list[Part]:
    arms = []
    for side, shoulder, target in zip((-1, 1), SHOULDERS, pose.hands, strict=True):
        end = target or (side * 0.24, -0.31)
        front = target is not None
        elbow = _elbow(shoulder, end, side)
        arms.append(stroke(sleeve, 0.085 * thin, shoulder, elbow, end, front=front))
        palm = oval(end[0], end[1], 2 * PALM, 2 * PALM, hand)
        arms.append(Part(palm.points, hand, front=front))
    return arms


def _elbow(shoulder: Point, hand: Point, side: int) -> Point:
    """Where the arm bends: outwards, and not at all when it is stretched."""
    dx, dy = hand[0] - shoulder[0], hand[1] - shoulder[1]
    reach = math.hypot(dx, dy)
    bend = math.sqrt(max(ARM**2 - (reach / 2) ** 2, 0.0)) / max(reach, 1e-6)
    down = 1 if dx * side > 0 else -1
    return (
        (shoulder[0] + hand[0]) / 2 - side * down * dy * bend,
        (shoulder[1] + hand[1]) / 2 + side * down * dx * bend,
    )


def _face(width: float = HEAD, paint: str = "skin") -> Part:
    return oval(0, _HEAD_Y, width, 0.37, paint)


def _short_hair() -> Part:
    return dome(0, -0.84, 0.39, 0.155, "hair")


def _man(pose: Pose) -> Parts:
    body = (box(0, -0.45, 0.31, 0.33, "main", corner=0.3), box(0, -0.29, 0.27, 0.06, "ink"))
    head = (_face(), _short_hair(), dome(0, -0.69, 0.26, -0.08, "hair"))
    return _figure(pose, body, head, "main", "skin", "second", "ink", 1.0)


def _woman(pose: Pose) -> Parts:
    dress = poly("main", (-0.12, -0.61), (0.12, -0.61), (0.15, -0.42), (0.25, -0.2), (-0.25, -0.2),
                 (-0.15, -0.42))  # fmt: skip
    long_hair = box(0, -0.72, 0.48, 0.46, "hair", corner=0.4)
    body = (long_hair, dress, box(0, -0.42, 0.3, 0.045, "second"))
    head = (_face(), dome(0, -0.83, 0.4, 0.17, "hair"))
    return _figure(pose, body, head, "skin", "skin", "skin", "second", 0.85)


def _boy(pose: Pose) -> Parts:
    trousers = poly("second", (-0.14, -0.34), (0.14, -0.34), (0.16, -0.2), (0.01, -0.2), (0, -0.25),
                    (-0.01, -0.2), (-0.16, -0.2))  # fmt: skip
    body = (box(0, -0.45, 0.27, 0.28, "main", corner=0.3), trousers)
    tuft = poly("hair", (-0.06, -0.96), (0.02, -1.0), (0.09, -0.94))
    head = (_face(0.4), tuft, dome(0, -0.86, 0.4, 0.13, "hair"))
    return _figure(pose, body, head, "main", "skin", "skin", "cream", 0.95)


def _girl(pose: Pose) -> Parts:
    skirt = poly("main", (-0.12, -0.36), (0.12, -0.36), (0.22, -0.17), (-0.22, -0.17))
    body = (skirt, box(0, -0.46, 0.26, 0.26, "main", corner=0.35))
    tails = (
        oval(-0.235, -0.72, 0.11, 0.24, "hair", 15),
        oval(0.235, -0.72, 0.11, 0.24, "hair", -15),
    )
    knots = (oval(-0.2, -0.82, 0.07, 0.07, "second"), oval(0.2, -0.82, 0.07, 0.07, "second"))
    head = (*tails, _face(), dome(0, -0.84, 0.4, 0.155, "hair"), *knots)
    return _figure(pose, body, head, "main", "skin", "skin", "second", 0.9)


def _robot(pose: Pose) -> Parts:
    body = (
        box(0, -0.44, 0.36, 0.34, "main", corner=0.08),
        box(0, -0.44, 0.2, 0.14, "steel"),
        oval(-0.04, -0.44, 0.05, 0.05, "rose"),
        oval(0.05, -0.44, 0.05, 0.05, "gold"),
    )
    head = (
        stroke("steel", 0.03, (0, -0.9), (0, -0.96)),
        oval(0, -0.96, 0.06, 0.06, "rose"),
        box(-0.2, -0.79, 0.06, 0.12, "steel"),
        box(0.2, -0.79, 0.06, 0.12, "steel"),
        box(0, -0.785, 0.38, 0.3, "main", corner=0.12),
    )
    return _figure(pose, body, head, "steel", "steel", "steel", "ink", 0.8)


def _teddy(pose: Pose) -> Parts:
    ears = tuple(
        part
        for x in (-0.15, 0.15)
        for part in (oval(x, -0.91, 0.16, 0.16, "main"), oval(x, -0.91, 0.09, 0.09, "tint"))
    )
    body = (oval(0, -0.42, 0.4, 0.42, "main"), oval(0, -0.41, 0.24, 0.27, "tint"))
    head = (*ears, oval(0, -0.79, 0.42, 0.36, "main"), oval(0, -0.7, 0.18, 0.12, "tint"))
    return _figure(pose, body, head, "main", "main", "main", "tint", 1.3)


_kind = partial(Category, supercategory="figure", hands=True)

CATEGORIES = (
    _kind("man", extent=0.42, parts=_man, clothed=True, plural="men"),
    _kind("woman", extent=0.41, parts=_woman, clothed=True, plural="women"),
    _kind("boy", extent=0.33, parts=_boy, clothed=True),
    _kind("girl", extent=0.33, parts=_girl, clothed=True),
    _kind("robot", extent=0.38, parts=_robot),
    _kind("teddy bear", extent=0.32, parts=_teddy),
)
