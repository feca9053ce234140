"""Animals, seen from the side, facing right. Those with legs can run and pull."""

from functools import partial

from semtok.data.scenes.category import Category, Pose, rope
from semtok.data.scenes.parts import (
    Parts,
    arc,
    box,
    cloud,
    dome,
    oval,
    poly,
    stroke,
)


def _legs(pose: Pose, xs: tuple[float, ...], top: float, width: float, paint: str) -> Parts:
    """Straight legs, or in full stride: the fore legs forward, the hind legs back."""
    stride = 0.16 if pose.running else 0.0
    legs = []
    for i, x in enumerate(xs):
        swing = stride * (1.0 if x > 0 else -1.0) * (1.0 if i % 2 else 0.55)
        foot = (x + swing, -width / 2 - (0.05 if pose.running and i % 2 else 0.0))
        knee = (x + 0.35 * swing, (top + foot[1]) / 2)
        legs.append(stroke("shade" if i % 2 else paint, width, (x, top), knee, foot))
    return tuple(legs[1::2] + legs[::2])


def _eye(x: float, y: float, size: float = 0.06) -> Parts:
    return oval(x, y, size, size * 1.15, "cream"), oval(
        x + size / 6, y, size / 2, size * 0.7, "ink"
    )


def _walker(pose: Pose, legs: Parts, body: Parts) -> Parts:
    """Legs, body and, if the pose has a rope, a collar that it is tied to."""
    if pose.rope is None:
        return (*legs, *body)
    x, y = pose.rope[0]
    return (*legs, *body, oval(x, y, 0.1, 0.2, "rope"), *rope(pose))


def _dog(pose: Pose) -> Parts:
    body = (
        stroke("main", 0.07, (-0.36, -0.46), (-0.46, -0.58), (-0.47, -0.72)),
        box(-0.05, -0.42, 0.7, 0.28, "main", corner=0.5),
        oval(0.3, -0.6, 0.36, 0.32, "main"),
        box(0.47, -0.54, 0.2, 0.15, "tint", corner=0.5),
        oval(0.56, -0.58, 0.07, 0.06, "ink"),
        oval(0.18, -0.57, 0.13, 0.3, "shade", 12),
        *_eye(0.36, -0.64, 0.08),
        stroke("second", 0.05, (0.17, -0.42), (0.28, -0.41)),
    )
    return _walker(pose, _legs(pose, (-0.32, -0.24, 0.16, 0.24), -0.36, 0.1, "main"), body)


def _cat(pose: Pose) -> Parts:
    body = (
        stroke("main", 0.065, (-0.32, -0.4), (-0.46, -0.5), (-0.42, -0.7), (-0.5, -0.82)),
        oval(-0.04, -0.38, 0.66, 0.3, "main"),
        poly("main", (0.13, -0.68), (0.13, -0.92), (0.29, -0.76)),
        poly("main", (0.31, -0.76), (0.47, -0.92), (0.47, -0.66)),
        oval(0.3, -0.6, 0.4, 0.34, "main"),
        *_eye(0.22, -0.62, 0.08),
        *_eye(0.39, -0.62, 0.08),
        poly("rose", (0.28, -0.56), (0.35, -0.56), (0.315, -0.52)),
        stroke("cream", 0.018, (0.14, -0.53), (0.25, -0.54)),
        stroke("cream", 0.018, (0.37, -0.54), (0.5, -0.53)),
    )
    return _walker(pose, _legs(pose, (-0.28, -0.2, 0.12, 0.2), -0.3, 0.09, "main"), body)


def _horse(pose: Pose) -> Parts:
    body = (
        stroke("second", 0.09, (-0.36, -0.6), (-0.46, -0.48), (-0.48, -0.26)),
        oval(-0.04, -0.54, 0.72, 0.32, "main"),
        poly("main", (0.12, -0.56), (0.3, -0.94), (0.44, -0.88), (0.32, -0.46)),
        poly("main", (0.29, -0.93), (0.33, -1.04), (0.38, -0.93)),
        box(0.42, -0.83, 0.3, 0.15, "main", 32, 0.5),
        stroke("second", 0.08, (0.31, -0.95), (0.22, -0.82), (0.13, -0.66)),
        oval(0.51, -0.77, 0.03, 0.03, "ink"),
        *_eye(0.38, -0.87),
    )
    return _walker(pose, _legs(pose, (-0.32, -0.24, 0.17, 0.25), -0.48, 0.085, "main"), body)


def _cow(pose: Pose) -> Parts:
    body = (
        stroke("shade", 0.035, (-0.4, -0.6), (-0.47, -0.5), (-0.46, -0.28)),
        oval(-0.46, -0.26, 0.07, 0.1, "ink"),
        box(-0.04, -0.51, 0.78, 0.36, "main", corner=0.4),
        oval(-0.2, -0.56, 0.2, 0.15, "cream", 20),
        oval(0.07, -0.46, 0.16, 0.13, "cream", -15),
        oval(-0.1, -0.33, 0.14, 0.08, "rose"),
        stroke("ivory", 0.045, (0.3, -0.78), (0.26, -0.88)),
        stroke("ivory", 0.045, (0.44, -0.78), (0.49, -0.88)),
        oval(0.23, -0.7, 0.13, 0.07, "main", 20),
        box(0.38, -0.64, 0.26, 0.3, "main", 0, 0.4),
        oval(0.42, -0.52, 0.26, 0.15, "rose"),
        oval(0.46, -0.53, 0.03, 0.035, "ink"),
        oval(0.37, -0.53, 0.03, 0.035, "ink"),
        *_eye(0.4, -0.67),
    )
    return _walker(pose, _legs(pose, (-0.34, -0.25, 0.18, 0.27), -0.4, 0.1, "main"), body)


def _sheep(pose: Pose) -> Parts:
    body = (
        cloud(-0.06, -0.46, 0.76, 0.5, "main", 9),
        oval(0.36, -0.58, 0.24, 0.3, "ink"),
        oval(0.24, -0.6, 0.14, 0.07, "ink", 25),
        cloud(0.33, -0.71, 0.26, 0.15, "main", 6),
        *_eye(0.4, -0.6, 0.075),
    )
    return _walker(pose, _legs(pose, (-0.27, -0.18, 0.1, 0.19), -0.3, 0.085, "ink"), body)


def _pig(pose: Pose) -> Parts:
    body = (
        arc(-0.45, -0.46, 0.1, 0.12, 60, 400, "main", 0.035),
        oval(-0.03, -0.4, 0.76, 0.46, "main"),
        poly("shade", (0.14, -0.58), (0.14, -0.74), (0.28, -0.64)),
        oval(0.32, -0.47, 0.34, 0.36, "main"),
        poly("shade", (0.3, -0.62), (0.4, -0.76), (0.44, -0.58)),
        oval(0.48, -0.44, 0.13, 0.18, "rose"),
        oval(0.475, -0.47, 0.03, 0.045, "ink"),
        oval(0.475, -0.41, 0.03, 0.045, "ink"),
        *_eye(0.36, -0.53, 0.065),
    )
    return _walker(pose, _legs(pose, (-0.27, -0.17, 0.12, 0.22), -0.24, 0.11, "main"), body)


def _elephant(pose: Pose) -> Parts:
    body = (
        stroke("shade", 0.035, (-0.43, -0.6), (-0.5, -0.45), (-0.49, -0.3)),
        oval(-0.08, -0.53, 0.74, 0.5, "main"),
        oval(0.3, -0.64, 0.34, 0.36, "main"),
        stroke("main", 0.11, (0.42, -0.6), (0.49, -0.42), (0.48, -0.2), (0.54, -0.12)),
        stroke("ivory", 0.045, (0.38, -0.5), (0.43, -0.38), (0.54, -0.38)),
        oval(0.16, -0.64, 0.26, 0.36, "shade", 8),
        *_eye(0.36, -0.69, 0.065),
    )
    return _walker(pose, _legs(pose, (-0.33, -0.21, 0.05, 0.18), -0.4, 0.15, "main"), body)


def _rabbit(pose: Pose) -> Parts:
    body = (
        cloud(-0.38, -0.24, 0.18, 0.18, "cream", 6),
        oval(-0.1, -0.3, 0.56, 0.42, "main"),
        oval(0.1, -0.84, 0.12, 0.4, "main", -14),
        oval(0.11, -0.83, 0.055, 0.28, "rose", -14),
        oval(0.25, -0.84, 0.12, 0.4, "main", 8),
        oval(0.25, -0.83, 0.055, 0.28, "rose", 8),
        oval(0.2, -0.54, 0.38, 0.34, "main"),
        oval(0.37, -0.5, 0.06, 0.05, "rose"),
        *_eye(0.26, -0.57, 0.085),
    )
    legs = _legs(pose, (-0.2, -0.14, 0.08, 0.13), -0.16, 0.12, "main")
    return _walker(pose, legs, body)


def _turtle(pose: Pose) -> Parts:
    body = (
        poly("second", (-0.42, -0.16), (-0.54, -0.08), (-0.36, -0.1)),
        stroke("second", 0.13, (0.3, -0.2), (0.43, -0.5)),
        oval(0.46, -0.54, 0.24, 0.21, "second"),
        dome(-0.04, -0.13, 0.84, 0.45, "main"),
        stroke("shade", 0.03, (-0.2, -0.14), (-0.12, -0.5)),
        stroke("shade", 0.03, (0.1, -0.14), (0.04, -0.53)),
        box(-0.04, -0.14, 0.88, 0.08, "shade", corner=0.5),
        *_eye(0.49, -0.57, 0.07),
    )
    legs = _legs(pose, (-0.28, -0.2, 0.16, 0.25), -0.12, 0.13, "second")
    return _walker(pose, legs, body)


def _duck(pose: Pose) -> Parts:
    body = (
        poly("main", (-0.3, -0.4), (-0.54, -0.56), (-0.4, -0.24)),
        oval(-0.06, -0.33, 0.7, 0.38, "main"),
        stroke("main", 0.16, (0.2, -0.4), (0.24, -0.66)),
        oval(0.26, -0.72, 0.3, 0.28, "main"),
        poly("beak", (0.38, -0.78), (0.58, -0.69), (0.38, -0.63)),
        oval(-0.12, -0.36, 0.38, 0.2, "shade", -14),
        *_eye(0.3, -0.76, 0.075),
    )
    legs = _legs(pose, (-0.1, 0.05), -0.2, 0.05, "beak")
    feet = (oval(-0.05, -0.03, 0.14, 0.05, "beak"), oval(0.1, -0.03, 0.14, 0.05, "beak"))
    return _walker(pose, (*legs, *(() if pose.running else feet)), body)


_BIRD = (
    poly("main", (-0.25, -0.34), (-0.56, -0.46), (-0.52, -0.26)),
    oval(0, -0.34, 0.62, 0.34, "main"),
    oval(0.3, -0.46, 0.3, 0.28, "main"),
    poly("beak", (0.42, -0.5), (0.58, -0.44), (0.42, -0.39)),
    poly("second", (-0.16, -0.38), (-0.3, -0.82), (0.02, -0.72), (0.16, -0.42)),
    oval(0.05, -0.24, 0.36, 0.13, "tint"),
    *_eye(0.34, -0.49, 0.08),
)

_WINGS = tuple(
    part
    for side in (-1, 1)
    for part in (
        oval(side * 0.25, -0.3, 0.36, 0.36, "second", side * 35),
        oval(side * 0.28, -0.62, 0.5, 0.44, "main", side * -25),
        oval(side * 0.3, -0.62, 0.2, 0.18, "tint", side * -25),
    )
)
_BUTTERFLY = (
    *_WINGS,
    stroke("ink", 0.03, (-0.02, -0.75), (-0.12, -0.94)),
    stroke("ink", 0.03, (0.02, -0.75), (0.12, -0.94)),
    oval(0, -0.47, 0.11, 0.62, "ink"),
)

_kind = partial(Category, supercategory="animal")

CATEGORIES = (
    _kind("dog", extent=0.25, parts=_dog, harness=(0.2, -0.44)),
    _kind("cat", extent=0.22, parts=_cat, harness=(0.2, -0.42)),
    _kind(
        "horse",
        extent=0.36,
        parts=_horse,
        harness=(0.26, -0.6),
        indoors=False,
        saddle=(-0.02, -0.68),
    ),
    _kind(
        "cow", extent=0.34, parts=_cow, harness=(0.24, -0.5), indoors=False, saddle=(-0.06, -0.67)
    ),
    _kind(
        "sheep",
        extent=0.28,
        parts=_sheep,
        harness=(0.24, -0.45),
        indoors=False,
        saddle=(-0.06, -0.66),
    ),
    _kind(
        "pig", extent=0.27, parts=_pig, harness=(0.17, -0.4), indoors=False, saddle=(-0.06, -0.6)
    ),
    _kind(
        "elephant",
        extent=0.42,
        parts=_elephant,
        harness=(0.24, -0.45),
        indoors=False,
        saddle=(-0.1, -0.75),
    ),
    _kind("rabbit", extent=0.21, parts=_rabbit, harness=(0.1, -0.36)),
    _kind("turtle", extent=0.24, parts=_turtle, harness=(0.33, -0.22), saddle=(-0.04, -0.54)),
    _kind("duck", extent=0.2, parts=_duck, harness=(0.2, -0.45)),
    Category("bird", "animal", 0.18, _BIRD, place="sky", handy=True),
    Category(
        "butterfly", "animal", 0.17, _BUTTERFLY, place="sky", handy=True, plural="butterflies"
    ),
)
