"""Things to eat."""

from functools import partial

from semtok.data.scenes.category import Category
from semtok.data.scenes.parts import box, cloud, dome, oval, poly, stroke

_APPLE = (
    stroke("bark", 0.07, (0, -0.78), (0.05, -0.98)),
    oval(0.2, -0.92, 0.32, 0.15, "leaf", -22),
    poly("main", (0, -0.74), (0.14, -0.82), (0.3, -0.8), (0.44, -0.66), (0.46, -0.46),
         (0.38, -0.22), (0.22, -0.03), (0.1, 0), (0, -0.03), (-0.1, 0), (-0.22, -0.03),
         (-0.38, -0.22), (-0.46, -0.46), (-0.44, -0.66), (-0.3, -0.8), (-0.14, -0.82)),
    oval(-0.26, -0.56, 0.12, 0.22, "tint", 15),
)  # fmt: skip

_BANANA = (
    poly("main", (-0.5, -0.42), (-0.38, -0.2), (-0.14, -0.04), (0.14, -0.04), (0.36, -0.2),
         (0.5, -0.5), (0.44, -0.66), (0.38, -0.62), (0.3, -0.44), (0.14, -0.32),
         (-0.1, -0.3), (-0.34, -0.38), (-0.44, -0.5)),
    poly("ink", (0.38, -0.62), (0.4, -0.76), (0.48, -0.76), (0.46, -0.64)),
    stroke("shade", 0.035, (-0.38, -0.33), (-0.12, -0.18), (0.14, -0.18), (0.34, -0.34)),
)  # fmt: skip

_CARROT = (
    *(oval(x, -0.86, 0.13, 0.34, "leaf", turn) for x, turn in ((-0.13, -32), (0.13, 32), (0, 0))),
    poly("main", (-0.24, -0.7), (-0.1, -0.76), (0.1, -0.76), (0.24, -0.7), (0.14, -0.34), (0, 0),
         (-0.14, -0.34)),
    stroke("shade", 0.04, (-0.18, -0.56), (-0.02, -0.56)),
    stroke("shade", 0.04, (0.04, -0.42), (0.14, -0.42)),
    stroke("shade", 0.04, (-0.1, -0.28), (0.02, -0.28)),
)  # fmt: skip

_ICE_CREAM = (
    poly("crust", (-0.26, -0.5), (0.26, -0.5), (0, 0)),
    stroke("bark", 0.025, (-0.17, -0.46), (0.08, -0.16)),
    stroke("bark", 0.025, (0.17, -0.46), (-0.08, -0.16)),
    cloud(0, -0.56, 0.68, 0.4, "main", 8),
    oval(0, -0.74, 0.5, 0.42, "main"),
    oval(0, -0.94, 0.17, 0.17, "rose"),
)

_CAKE = (
    *(box(x, -0.72, 0.07, 0.22, "cream") for x in (-0.2, 0, 0.2)),
    *(oval(x, -0.88, 0.08, 0.13, "lamp") for x in (-0.2, 0, 0.2)),
    box(0, -0.3, 0.92, 0.6, "main", corner=0.12),
    dome(0, -0.46, 0.96, 0.17, "second"),
    *(dome(x, -0.47, 0.24, -0.16, "second") for x in (-0.36, -0.12, 0.12, 0.36)),
    box(0, -0.02, 1.04, 0.05, "steel", corner=0.5),
)

_PIZZA = (
    poly("crust", (-0.46, -0.76), (-0.3, -0.9), (0, -0.96), (0.3, -0.9), (0.46, -0.76),
         (0.4, -0.68), (-0.4, -0.68)),
    poly("main", (-0.4, -0.72), (0.4, -0.72), (0, 0)),
    oval(-0.13, -0.58, 0.2, 0.17, "second"),
    oval(0.17, -0.55, 0.2, 0.17, "second"),
    oval(0.0, -0.3, 0.17, 0.15, "second"),
)  # fmt: skip

_DONUT = (
    oval(0, -0.42, 0.98, 0.8, "crust"),
    oval(0, -0.47, 0.9, 0.68, "main"),
    oval(0, -0.45, 0.3, 0.22, "bark"),
    stroke("cream", 0.05, (-0.3, -0.52), (-0.24, -0.6)),
    stroke("cream", 0.05, (0.04, -0.68), (0.14, -0.7)),
    stroke("cream", 0.05, (0.28, -0.4), (0.34, -0.48)),
    stroke("cream", 0.05, (-0.1, -0.24), (-0.2, -0.28)),
)

_kind = partial(Category, supercategory="food", extent=0.145, handy=True)

CATEGORIES = (
    _kind("apple", parts=_APPLE),
    _kind("banana", parts=_BANANA, extent=0.16),
    _kind("carrot", parts=_CARROT, extent=0.17),
    _kind("ice cream", parts=_ICE_CREAM, extent=0.17, stem=True),
    _kind("cake", parts=_CAKE, extent=0.18),
    _kind("pizza", parts=_PIZZA, extent=0.17),
    _kind("donut", parts=_DONUT),
)
