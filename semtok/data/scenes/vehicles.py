"""Vehicles, seen from the side, facing right, and the balloon."""

from functools import partial

from semtok.data.scenes.category import Category
from semtok.data.scenes.parts import arc, box, dome, oval, poly, stroke, wheel

_CAR = (
    poly("main", (-0.3, -0.3), (-0.18, -0.52), (0.16, -0.52), (0.32, -0.3)),
    poly("glass", (-0.22, -0.31), (-0.14, -0.47), (-0.03, -0.47), (-0.03, -0.31)),
    poly("glass", (0.03, -0.31), (0.03, -0.47), (0.13, -0.47), (0.24, -0.31)),
    box(0, -0.22, 1.0, 0.2, "main", corner=0.4),
    oval(0.46, -0.24, 0.07, 0.08, "lamp"),
    box(-0.475, -0.24, 0.05, 0.07, "rose"),
    stroke("shade", 0.02, (0, -0.3), (0, -0.14)),
    *wheel(-0.28, -0.1, 0.11),
    *wheel(0.28, -0.1, 0.11),
)

_BUS = (
    box(0, -0.33, 1.0, 0.48, "main", corner=0.14),
    *(box(x, -0.42, 0.14, 0.16, "glass") for x in (-0.38, -0.2, -0.02, 0.16)),
    box(0.38, -0.32, 0.16, 0.38, "glass"),
    box(-0.1, -0.24, 0.74, 0.05, "second"),
    oval(0.48, -0.15, 0.05, 0.06, "lamp"),
    *wheel(-0.27, -0.1, 0.1),
    *wheel(0.22, -0.1, 0.1),
)

_TRUCK = (
    box(-0.17, -0.36, 0.66, 0.44, "main", corner=0.06),
    poly("second", (0.18, -0.13), (0.18, -0.46), (0.36, -0.46), (0.5, -0.28), (0.5, -0.13)),
    poly("glass", (0.24, -0.29), (0.24, -0.41), (0.34, -0.41), (0.43, -0.29)),
    box(0, -0.14, 0.98, 0.06, "ink"),
    oval(0.48, -0.19, 0.05, 0.06, "lamp"),
    *wheel(-0.32, -0.1, 0.1),
    *wheel(-0.08, -0.1, 0.1),
    *wheel(0.34, -0.1, 0.1),
)

_TRACTOR = (
    stroke("ink", 0.05, (0.32, -0.42), (0.32, -0.66)),
    box(0.22, -0.34, 0.5, 0.24, "main", corner=0.2),
    box(-0.2, -0.52, 0.38, 0.44, "main", corner=0.1),
    box(-0.2, -0.58, 0.26, 0.24, "glass"),
    box(-0.2, -0.76, 0.48, 0.07, "second", corner=0.5),
    stroke("shade", 0.025, (0.34, -0.4), (0.34, -0.28)),
    stroke("shade", 0.025, (0.41, -0.4), (0.41, -0.28)),
    *wheel(-0.24, -0.23, 0.23, "gold"),
    *wheel(0.34, -0.13, 0.13, "gold"),
)

_BICYCLE = (
    *(oval(x, -0.22, 0.44, 0.44, "rubber") for x in (-0.28, 0.28)),
    *(oval(x, -0.22, 0.34, 0.34, "main") for x in (-0.28, 0.28)),
    stroke(
        "main", 0.07, (-0.28, -0.22), (-0.12, -0.52), (0.17, -0.5), (0.0, -0.22), (-0.28, -0.22)
    ),
    stroke("main", 0.07, (-0.12, -0.52), (0.0, -0.22)),
    stroke("main", 0.07, (0.28, -0.22), (0.16, -0.62)),
    stroke("ink", 0.05, (0.22, -0.68), (0.16, -0.63), (0.06, -0.66)),
    box(-0.14, -0.57, 0.22, 0.07, "ink", corner=0.5),
    oval(0.0, -0.22, 0.1, 0.1, "steel"),
)

_WAGON = (
    stroke("ink", 0.04, (0.42, -0.24), (0.52, -0.4)),
    box(0, -0.36, 0.86, 0.32, "main", corner=0.06),
    box(0, -0.53, 0.94, 0.06, "shade", corner=0.5),
    stroke("shade", 0.025, (-0.2, -0.5), (-0.2, -0.22)),
    stroke("shade", 0.025, (0.2, -0.5), (0.2, -0.22)),
    *wheel(-0.26, -0.13, 0.13, "second"),
    *wheel(0.26, -0.13, 0.13, "second"),
)

_BOAT = (
    stroke("wood", 0.035, (0, -0.2), (0, -0.98)),
    poly("main", (0.05, -0.92), (0.44, -0.3), (0.05, -0.3)),
    poly("second", (-0.05, -0.8), (-0.05, -0.3), (-0.34, -0.3)),
    poly("main", (-0.5, -0.25), (0.52, -0.25), (0.38, 0), (-0.36, 0)),
    box(0.01, -0.25, 1.04, 0.055, "ivory", corner=0.5),
)

_AIRPLANE = (
    poly("second", (-0.42, -0.34), (-0.54, -0.62), (-0.38, -0.62), (-0.24, -0.36)),
    box(0, -0.32, 1.02, 0.22, "main", corner=0.5),
    poly("glass", (0.3, -0.41), (0.4, -0.41), (0.47, -0.33), (0.32, -0.33)),
    *(oval(x, -0.35, 0.07, 0.08, "glass") for x in (-0.25, -0.12, 0.01, 0.14)),
    poly("second", (0.06, -0.29), (-0.24, -0.04), (-0.38, -0.04), (-0.16, -0.29)),
    poly("second", (-0.42, -0.3), (-0.56, -0.2), (-0.46, -0.2), (-0.32, -0.29)),
)

_HOT_AIR_BALLOON = (
    stroke("rope", 0.02, (-0.22, -0.44), (-0.08, -0.18)),
    stroke("rope", 0.02, (0.22, -0.44), (0.08, -0.18)),
    poly("main", (-0.3, -0.5), (0.3, -0.5), (0.12, -0.28), (-0.12, -0.28)),
    oval(0, -0.66, 0.74, 0.68, "main"),
    arc(0, -0.66, 0.34, 0.66, -90, 90, "second", 0.05),
    arc(0, -0.66, 0.34, 0.66, 90, 270, "second", 0.05),
    dome(0, -0.185, 0.22, -0.02, "wood"),
    box(0, -0.1, 0.2, 0.18, "wood"),
)

_kind = partial(Category, supercategory="vehicle", indoors=False)

CATEGORIES = (
    _kind("car", extent=0.34, parts=_CAR, movable=True),
    _kind("bus", extent=0.44, parts=_BUS, plural="buses"),
    _kind("truck", extent=0.42, parts=_TRUCK),
    _kind("tractor", extent=0.34, parts=_TRACTOR, movable=True),
    _kind("bicycle", extent=0.32, parts=_BICYCLE, movable=True, saddle=(-0.12, -0.6)),
    _kind("wagon", extent=0.26, parts=_WAGON, movable=True, saddle=(0.0, -0.5)),
    _kind("boat", extent=0.34, parts=_BOAT, place="sea"),
    _kind("airplane", extent=0.34, parts=_AIRPLANE, place="sky"),
    _kind("hot-air balloon", extent=0.32, parts=_HOT_AIR_BALLOON, place="sky"),
)
