"""Things to wear and things to carry, and toys."""

from functools import partial

from semtok.data.scenes.category import Category
from semtok.data.scenes.parts import arc, box, dome, oval, poly, stroke

_HAT = (
    box(0, -0.32, 0.58, 0.62, "main", corner=0.12),
    box(0, -0.14, 0.6, 0.14, "second", corner=0),
    box(0, -0.055, 1.0, 0.11, "main", corner=0.5),
)

_CAP = (
    dome(-0.08, -0.08, 0.78, 0.5, "main"),
    poly("second", (0.1, -0.14), (0.36, -0.2), (0.58, -0.08), (0.56, 0), (0.1, 0)),
    oval(-0.08, -0.58, 0.12, 0.1, "second"),
)

_CROWN = (
    poly("main", (-0.4, 0), (0.4, 0), (0.48, -0.52), (0.22, -0.3), (0, -0.62), (-0.22, -0.3),
         (-0.48, -0.52)),
    *(oval(x, y, 0.13, 0.13, "second") for x, y in ((-0.48, -0.54), (0, -0.64), (0.48, -0.54))),
    *(oval(x, -0.14, 0.11, 0.12, "lamp") for x in (-0.22, 0, 0.22)),
)  # fmt: skip

_GLASSES = (
    stroke("second", 0.08, (-0.14, -0.2), (0.14, -0.2)),
    oval(-0.25, -0.18, 0.44, 0.34, "main"),
    oval(0.25, -0.18, 0.44, 0.34, "main"),
    stroke("tint", 0.05, (-0.32, -0.16), (-0.24, -0.26)),
    stroke("tint", 0.05, (0.18, -0.16), (0.26, -0.26)),
)

_SCARF = (
    *(stroke("second", 0.05, (x, -0.1), (x + 0.01, -0.02)) for x in (0.18, 0.25, 0.32)),
    box(0.22, -0.32, 0.22, 0.48, "main", -8),
    box(0, -0.52, 0.84, 0.24, "main", corner=0.5),
    oval(0.16, -0.49, 0.22, 0.24, "main"),
)

_UMBRELLA = (
    stroke("wood", 0.05, (0, -0.9), (0, -0.1), (0.04, -0.03), (0.11, -0.05), (0.12, -0.12)),
    dome(0, -0.54, 1.0, 0.42, "main"),
    *(dome(x, -0.53, 0.25, 0.09, "second") for x in (-0.375, -0.125, 0.125, 0.375)),
    stroke("wood", 0.05, (0, -0.95), (0, -1.0)),
)

_HANDBAG = (
    arc(0, -0.6, 0.44, 0.6, 180, 360, "second", 0.09),
    poly("main", (-0.4, -0.6), (0.4, -0.6), (0.5, 0), (-0.5, 0)),
    poly("shade", (-0.4, -0.6), (0.4, -0.6), (0.43, -0.42), (0, -0.28), (-0.43, -0.42)),
    oval(0, -0.3, 0.13, 0.13, "gold"),
)

_SUITCASE = (
    arc(0, -0.74, 0.3, 0.36, 180, 360, "ink", 0.07),
    box(0, -0.4, 1.0, 0.7, "main", corner=0.15),
    *(box(x, -0.4, 0.11, 0.7, "second", corner=0) for x in (-0.28, 0.28)),
    *(oval(x, -0.04, 0.11, 0.09, "rubber") for x in (-0.34, 0.34)),
    box(0, -0.62, 0.16, 0.08, "gold"),
)

_BOOK = (
    box(0.05, -0.46, 0.74, 0.92, "cream", corner=0.05),
    *(stroke("steel", 0.02, (-0.26, y), (0.4, y)) for y in (-0.07, -0.03)),
    box(0, -0.54, 0.78, 0.92, "main", corner=0.08),
    box(-0.32, -0.54, 0.14, 0.92, "second", corner=0.1),
    box(0.08, -0.7, 0.42, 0.2, "cream", corner=0.1),
    stroke("ink", 0.03, (-0.03, -0.72), (0.19, -0.72)),
    poly("rose", (0.2, -0.12), (0.3, -0.12), (0.3, 0.06), (0.25, 0.01), (0.2, 0.06)),
)

_BALL = (
    oval(0, -0.5, 1.0, 1.0, "main"),
    arc(0, -0.5, 0.88, 0.4, 0, 180, "second", 0.12),
    oval(-0.22, -0.72, 0.2, 0.14, "tint", -30),
)

_BALLOON = (
    stroke("cream", 0.03, (0, -0.38), (0.05, -0.24), (-0.04, -0.12), (0.02, 0)),
    poly("shade", (-0.07, -0.34), (0.07, -0.34), (0, -0.42)),
    oval(0, -0.7, 0.54, 0.62, "main"),
    oval(-0.11, -0.82, 0.09, 0.16, "tint", 20),
)

_KITE = (
    stroke("rope", 0.03, (0, -0.3), (-0.12, -0.2), (0.04, -0.1), (-0.06, 0)),
    *(
        poly("second", (x, y), (x - 0.1, y - 0.06), (x - 0.1, y + 0.06))
        for x, y in ((-0.04, -0.2),)
    ),
    *(poly("second", (x, y), (x + 0.1, y - 0.06), (x + 0.1, y + 0.06)) for x, y in ((0.0, -0.1),)),
    poly("main", (0, -1.0), (0.32, -0.68), (0, -0.28), (-0.32, -0.68)),
    stroke("second", 0.035, (0, -0.97), (0, -0.3)),
    stroke("second", 0.035, (-0.3, -0.68), (0.3, -0.68)),
)

_DRUM = (
    stroke("wood", 0.06, (-0.1, -0.76), (-0.4, -1.0)),
    stroke("wood", 0.06, (0.1, -0.76), (0.4, -1.0)),
    box(0, -0.34, 0.9, 0.62, "main", corner=0.12),
    *(stroke("second", 0.045, (x, -0.62), (x + 0.15, -0.08)) for x in (-0.4, -0.1, 0.2)),
    *(stroke("second", 0.045, (x + 0.15, -0.62), (x, -0.08)) for x in (-0.4, -0.1, 0.2)),
    oval(0, -0.66, 0.94, 0.26, "cream"),
)

_GUITAR = (
    box(0, -0.76, 0.1, 0.5, "bark", corner=0),
    box(0, -0.96, 0.17, 0.14, "bark"),
    oval(0, -0.42, 0.4, 0.34, "main"),
    oval(0, -0.19, 0.54, 0.42, "main"),
    oval(0, -0.36, 0.16, 0.15, "ink"),
    box(0, -0.12, 0.22, 0.05, "ink"),
    stroke("cream", 0.02, (0, -0.9), (0, -0.12)),
)

_wear = partial(Category, supercategory="accessory", extent=0.17, handy=True)
_toy = partial(Category, supercategory="toy", handy=True)

CATEGORIES = (
    _wear("hat", parts=_HAT, worn="crown"),
    _wear("cap", parts=_CAP, worn="crown"),
    _wear("crown", parts=_CROWN, worn="crown", extent=0.15),
    _wear(
        "glasses",
        parts=_GLASSES,
        worn="eyes",
        worn_at=(0, -0.18),
        singular="pair of glasses",
        plural="pairs of glasses",
    ),
    _wear("scarf", parts=_SCARF, plural="scarves"),
    _wear("umbrella", parts=_UMBRELLA, extent=0.25, stem=True),
    _wear("handbag", parts=_HANDBAG, extent=0.17),
    _wear(
        "suitcase", parts=_SUITCASE, extent=0.22, handy=False, movable=True, surface=(0.42, -0.74)
    ),
    _wear("book", parts=_BOOK, extent=0.17),
    _toy("ball", parts=_BALL, extent=0.13),
    _toy("balloon", parts=_BALLOON, extent=0.24, stem=True),
    _toy("kite", parts=_KITE, extent=0.26, place="sky", stem=True),
    _toy("drum", parts=_DRUM, extent=0.22, handy=False, movable=True, surface=(0.4, -0.7)),
    _toy("guitar", parts=_GUITAR, extent=0.26),
)
