"""What stands in a room."""

from functools import partial

from semtok.data.scenes.category import Category
from semtok.data.scenes.parts import Part, box, dome, oval, poly, stroke

_CHAIR = (
    *(stroke("wood", 0.06, (x, -0.34), (x, -0.03)) for x in (-0.22, 0.22)),
    *(stroke("wood", 0.06, (x, -0.4), (x, -0.95)) for x in (-0.22, 0.22)),
    box(0, -0.78, 0.5, 0.3, "main", corner=0.2),
    box(0, -0.4, 0.6, 0.15, "main", corner=0.3),
    *(stroke("wood", 0.06, (x, -0.32), (x, -0.03)) for x in (-0.27, 0.27)),
)

_TABLE = (
    *(box(x, -0.24, 0.07, 0.48, "wood") for x in (-0.32, 0.32)),
    *(box(x, -0.22, 0.08, 0.44, "wood") for x in (-0.42, 0.42)),
    box(0, -0.46, 0.9, 0.1, "shade", corner=0),
    box(0, -0.54, 1.04, 0.12, "main", corner=0.3),
)

_BED = (
    box(-0.47, -0.32, 0.07, 0.64, "wood"),
    box(0.47, -0.22, 0.07, 0.44, "wood"),
    box(0, -0.18, 0.94, 0.14, "wood", corner=0.05),
    box(0, -0.32, 0.9, 0.18, "cream", corner=0.4),
    box(-0.32, -0.44, 0.24, 0.13, "cream", corner=0.5),
    box(0.12, -0.34, 0.66, 0.22, "main", corner=0.3),
)

_SOFA = (
    box(0, -0.38, 0.84, 0.42, "main", corner=0.3),
    box(-0.2, -0.23, 0.4, 0.16, "tint", corner=0.4),
    box(0.2, -0.23, 0.4, 0.16, "tint", corner=0.4),
    box(0, -0.11, 0.86, 0.12, "shade", corner=0.1),
    box(-0.43, -0.24, 0.16, 0.36, "main", corner=0.5),
    box(0.43, -0.24, 0.16, 0.36, "main", corner=0.5),
    *(box(x, -0.03, 0.06, 0.07, "wood") for x in (-0.38, 0.38)),
)

_LAMP = (
    dome(0, 0, 0.4, 0.1, "steel"),
    stroke("steel", 0.05, (0, -0.08), (0, -0.6)),
    oval(0, -0.6, 0.16, 0.16, "lamp"),
    poly("main", (-0.16, -0.98), (0.16, -0.98), (0.32, -0.6), (-0.32, -0.6)),
)

_HANDS = (stroke("ink", 0.05, (0, -0.5), (0, -0.74)), stroke("ink", 0.05, (0, -0.5), (0.16, -0.42)))
_CLOCK = (
    oval(-0.28, -0.93, 0.28, 0.22, "second", -30),
    oval(0.28, -0.93, 0.28, 0.22, "second", 30),
    stroke("second", 0.09, (-0.22, -0.16), (-0.32, -0.03)),
    stroke("second", 0.09, (0.22, -0.16), (0.32, -0.03)),
    oval(0, -0.5, 0.86, 0.86, "main"),
    oval(0, -0.5, 0.6, 0.6, "cream"),
    *(
        Part(oval(x, y, 0.06, 0.06, "ink").points, "ink")
        for x, y in ((0, -0.74), (0.24, -0.5), (0, -0.26), (-0.24, -0.5))
    ),
    *_HANDS,
)

_TELEVISION = (
    stroke("steel", 0.03, (0, -0.68), (-0.2, -0.94)),
    stroke("steel", 0.03, (0, -0.68), (0.2, -0.94)),
    *(stroke("ink", 0.06, (x, -0.1), (1.15 * x, -0.03)) for x in (-0.3, 0.3)),
    box(0, -0.39, 1.0, 0.6, "main", corner=0.15),
    box(-0.1, -0.39, 0.66, 0.44, "glass", corner=0.3),
    stroke("cream", 0.03, (-0.3, -0.42), (-0.2, -0.54)),
    oval(0.36, -0.52, 0.1, 0.1, "ink"),
    oval(0.36, -0.36, 0.1, 0.1, "ink"),
)

_VASE = (
    *(stroke("leaf", 0.035, (0, -0.5), (x, y)) for x, y in ((-0.2, -0.8), (0, -0.88), (0.2, -0.8))),
    *(oval(x, y, 0.18, 0.18, "second") for x, y in ((-0.2, -0.82), (0, -0.92), (0.2, -0.82))),
    *(oval(x, y, 0.07, 0.07, "lamp") for x, y in ((-0.2, -0.82), (0, -0.92), (0.2, -0.82))),
    poly("main", (-0.12, -0.6), (0.12, -0.6), (0.1, -0.5), (0.24, -0.3), (0.2, -0.08), (0.12, 0),
         (-0.12, 0), (-0.2, -0.08), (-0.24, -0.3), (-0.1, -0.5)),
)  # fmt: skip

_CUP = (
    oval(0.4, -0.42, 0.36, 0.4, "main"),
    oval(0.4, -0.42, 0.18, 0.22, "cream"),
    poly("main", (-0.4, -0.8), (0.36, -0.8), (0.28, -0.02), (-0.32, -0.02)),
    oval(-0.02, -0.8, 0.76, 0.18, "bark"),
)

_kind = partial(Category, supercategory="furniture", indoors=True)

CATEGORIES = (
    _kind("chair", extent=0.28, parts=_CHAIR, movable=True, seat=(0, -0.42)),
    _kind("table", extent=0.32, parts=_TABLE, movable=True, surface=(0.44, -0.58)),
    _kind("bed", extent=0.4, parts=_BED, seat=(0.12, -0.4), surface=(0.36, -0.42)),
    _kind("sofa", extent=0.38, parts=_SOFA, seat=(0, -0.26), plural="sofas"),
    _kind("lamp", extent=0.26, parts=_LAMP, movable=True),
    _kind("clock", indoors=None, extent=0.16, parts=_CLOCK, handy=True),
    _kind("television", extent=0.25, parts=_TELEVISION, movable=True),
    _kind("vase", indoors=None, extent=0.2, parts=_VASE, handy=True),
    _kind("cup", indoors=None, extent=0.14, parts=_CUP, handy=True),
)
