"""What grows and what is built out of doors."""

from functools import partial

from semtok.data.scenes.category import Category
from semtok.data.scenes.parts import box, cloud, dome, oval, poly, stroke

_TREE = (
    poly("bark", (-0.07, -0.45), (0.07, -0.45), (0.11, 0), (-0.11, 0)),
    cloud(-0.17, -0.56, 0.44, 0.38, "main", 6),
    cloud(0.18, -0.55, 0.44, 0.38, "main", 6),
    cloud(0, -0.74, 0.56, 0.5, "main", 8),
)

_PINE = (
    box(0, -0.09, 0.12, 0.18, "bark"),
    poly("main", (-0.34, -0.14), (0.34, -0.14), (0, -0.56)),
    poly("main", (-0.28, -0.4), (0.28, -0.4), (0, -0.78)),
    poly("main", (-0.2, -0.64), (0.2, -0.64), (0, -1.0)),
)

_CACTUS = (
    stroke("main", 0.15, (-0.04, -0.4), (-0.27, -0.42), (-0.27, -0.62)),
    stroke("main", 0.15, (0.04, -0.3), (0.27, -0.32), (0.27, -0.54)),
    box(0, -0.5, 0.25, 0.92, "main", corner=0.5),
    stroke("tint", 0.025, (-0.04, -0.82), (-0.04, -0.24)),
    stroke("tint", 0.025, (0.05, -0.82), (0.05, -0.24)),
    poly("second", (-0.24, -0.2), (0.24, -0.2), (0.18, 0), (-0.18, 0)),
    oval(0, -0.95, 0.14, 0.12, "rose"),
)

_FLOWER = (
    stroke("leaf", 0.05, (0, 0), (0.02, -0.4), (0, -0.66)),
    oval(0.14, -0.24, 0.26, 0.11, "leaf", -28),
    oval(-0.13, -0.34, 0.26, 0.11, "leaf", 28),
    *(
        oval(0.19 * dx, -0.74 + 0.19 * dy, 0.23, 0.23, "main")
        for dx, dy in ((0, -1), (0.95, -0.31), (0.59, 0.81), (-0.59, 0.81), (-0.95, -0.31))
    ),
    oval(0, -0.74, 0.2, 0.2, "lamp"),
)

_MUSHROOM = (
    poly(
        "ivory", (-0.16, -0.46), (0.16, -0.46), (0.2, -0.04), (0.14, 0), (-0.14, 0), (-0.2, -0.04)
    ),
    dome(0, -0.42, 1.0, 0.54, "main"),
    oval(-0.22, -0.6, 0.19, 0.15, "cream"),
    oval(0.14, -0.74, 0.17, 0.13, "cream"),
    oval(0.29, -0.53, 0.13, 0.11, "cream"),
)

_HOUSE = (
    box(0.24, -0.84, 0.11, 0.24, "second"),
    box(0, -0.29, 0.8, 0.58, "main", corner=0.02),
    poly("second", (-0.5, -0.56), (0, -0.98), (0.5, -0.56)),
    box(-0.18, -0.18, 0.18, 0.36, "wood"),
    oval(-0.12, -0.17, 0.035, 0.035, "gold"),
    box(0.18, -0.32, 0.22, 0.2, "glass"),
    stroke("cream", 0.02, (0.18, -0.41), (0.18, -0.23)),
    stroke("cream", 0.02, (0.08, -0.32), (0.28, -0.32)),
)

_BENCH = (
    *(box(x, -0.27, 0.06, 0.54, "steel") for x in (-0.4, 0.4)),
    box(0, -0.5, 1.0, 0.09, "main", corner=0.3),
    box(0, -0.39, 1.0, 0.09, "main", corner=0.3),
    box(0, -0.25, 1.04, 0.11, "main", corner=0.3),
    *(box(x, -0.1, 0.08, 0.2, "steel") for x in (-0.42, 0.42)),
)

_TENT = (
    poly("main", (-0.52, 0), (0, -0.72), (0.52, 0)),
    poly("ink", (-0.17, 0), (0, -0.5), (0.17, 0)),
    poly("tint", (-0.26, 0), (0, -0.5), (-0.12, 0)),
    stroke("wood", 0.035, (-0.04, -0.78), (0.0, -0.7), (0.04, -0.78)),
)

_MAILBOX = (
    box(0, -0.25, 0.1, 0.5, "wood"),
    box(0, -0.62, 0.7, 0.28, "main", corner=0.05),
    dome(0, -0.75, 0.7, 0.22, "main"),
    box(0.05, -0.68, 0.34, 0.06, "ink"),
    stroke("second", 0.05, (-0.26, -0.62), (-0.26, -0.9)),
    box(-0.18, -0.88, 0.2, 0.13, "second", corner=0),
)

_kind = partial(Category, supercategory="outdoor", indoors=False)

CATEGORIES = (
    _kind("tree", extent=0.44, parts=_TREE),
    _kind("pine", extent=0.44, parts=_PINE),
    _kind("cactus", extent=0.26, parts=_CACTUS, plural="cacti"),
    _kind("flower", extent=0.2, parts=_FLOWER, handy=True, stem=True),
    _kind("mushroom", extent=0.19, parts=_MUSHROOM),
    _kind("house", extent=0.46, parts=_HOUSE),
    _kind("bench", extent=0.34, parts=_BENCH, movable=True, seat=(0, -0.3), plural="benches"),
    _kind("tent", extent=0.38, parts=_TENT),
    _kind("mailbox", extent=0.26, parts=_MAILBOX, movable=True, plural="mailboxes"),
)
