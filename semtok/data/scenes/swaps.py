"""Swaps: what two pictures of the same things can differ in, and how that is said.

Each swap changes a scene in one respect and leaves the rest alone: two things exchange a look,
two figures or animals exchange what they do, or two things exchange their places. Whether the
change can be seen, and whether each sentence is true of one of the two pictures alone, is for
`siblings.py` to find out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from semtok.data.scenes.cast import bounds, category_of, moved
from semtok.data.scenes.facts import Description, Fact
from semtok.data.scenes.scene import Relation, Scene, Thing
from semtok.data.scenes.vocabulary import ACTIONS, SIZES

#: Where one thing may be to another, whatever they do.
_PLACES = ("left of", "right of", "above", "below", "beside", "in front of", "behind")

#: Figures whose sizes differ by less can stand in for one another: hands still reach.
_ALIKE = 1.05


@dataclass(frozen=True)
class Swap:
    """A scene that differs from another in one respect.

    Attributes:
        scene: the other one.
        places: of the things that exchanged something, in both scenes.
        facts: pairs that may tell the two apart: the first of the one, the second of the other.
    """

    scene: Scene
    places: tuple[int, int]
    facts: tuple[tuple[Fact, Fact], ...]


def swaps(kind: str, scene: Scene) -> list[Swap]:
    """All swaps of a kind that a scene allows.

    Args:
        kind: one of `KINDS`.
    """
    return [
        swap
        for i, j in combinations(range(len(scene.things)), 2)
        if scene.things[i].category != scene.things[j].category
        for swap in _SWAPS[kind](scene, i, j)
    ]


def _looks(look: str) -> Callable[[Scene, int, int], Iterator[Swap]]:
    """Two things exchange their colour or texture."""

    def swap(scene: Scene, i: int, j: int) -> Iterator[Swap]:
        a, b = scene.things[i], scene.things[j]
        if getattr(a, look) == getattr(b, look) or "plain" in (getattr(a, look), getattr(b, look)):
            return
        looks = ("colour", "second") if look == "colour" else (look,)
        yield Swap(_exchanged(scene, i, j, looks), (i, j), _of_looks(scene, i, j, look))

    return swap


def _sizes(scene: Scene, i: int, j: int) -> Iterator[Swap]:
    """A small and a large thing exchange their size, where nothing else depends on it."""
    a, b = scene.things[i], scene.things[j]
    if {a.size, b.size} == {"small", "large"} and _free(scene, i) and _free(scene, j):
        factor = SIZES[b.size] / SIZES[a.size]
        a, b = replace(a, scale=a.scale * factor), replace(b, scale=b.scale / factor)
        if _inside(a) and _inside(b):
            resized = _with(scene, {i: a, j: b})
            facts = _of_looks(scene, i, j, "size")
            yield Swap(_exchanged(resized, i, j, ("size",)), (i, j), facts)


def _roles(scene: Scene, i: int, j: int) -> Iterator[Swap]:
    """Who does something, and who has it done or does something else, exchange their parts."""
    a, b = category_of(scene.things[i]), category_of(scene.things[j])
    if any(Relation(*ends) in scene.relations for ends in ((i, "chasing", j), (j, "chasing", i))):
        if a.harness and b.harness:  # what cannot run can be chased, but cannot chase
            yield _chase(scene, i, j)
    elif a.hands and b.hands and max(a.extent, b.extent) <= _ALIKE * min(a.extent, b.extent):
        facts = [*_of_deeds(scene, i, j), *_of_deeds(scene, j, i)]
        if facts:
            # Size and place stay: the limbs were drawn for them.
            swapped = _exchanged(scene, i, j, (*_WHO, *_LOOK))
            yield Swap(swapped, (i, j), tuple(facts))


def _chase(scene: Scene, i: int, j: int) -> Swap:
    """An animal that is chased turns on the one that chases it; both keep their size."""
    swapped = _exchanged(scene, i, j, (*_WHO, *_LOOK, "size", "scale"))
    # Whatever their widths, they fill the same space with the same gap.
    before = [bounds(scene.things[place]) for place in (i, j)]
    left, right = (i, j) if before[0][0] < before[1][0] else (j, i)
    a, b = swapped.things[left], swapped.things[right]
    a = moved(a, min(box[0] for box in before) - bounds(a)[0], 0.0)
    b = moved(b, max(box[2] for box in before) - bounds(b)[2], 0.0)
    swapped = _with(swapped, {left: a, right: b})
    return Swap(swapped, (i, j), tuple(_of_pair(scene, i, j, ("chasing",))))


def _places(scene: Scene, i: int, j: int) -> Iterator[Swap]:
    """Two things on their own exchange their places."""
    a, b = scene.things[i], scene.things[j]
    if category_of(a).place == category_of(b).place and _free(scene, i) and _free(scene, j):
        swapped = _exchanged(scene, i, j, ("x", "y", "depth", "reach_depth"))
        if _inside(swapped.things[i]) and _inside(swapped.things[j]):
            in_plane = ("left of", "right of", "above", "below")
            yield Swap(swapped, (i, j), tuple(_of_pair(scene, i, j, in_plane)))


def _of_looks(scene: Scene, i: int, j: int, look: str) -> tuple[tuple[Fact, Fact], ...]:
    """Two things by a look of each: alone, and in every relation that they may have."""
    a, b = scene.things[i], scene.things[j]
    looks = getattr(a, look), getattr(b, look)
    first, second = (
        tuple(
            replace(Description(thing.category), **{look: value})
            for thing, value in zip((a, b), values, strict=True)
        )
        for values in (looks, looks[::-1])
    )
    arranged = [each.predicate for each in scene.relations if {each.subject, each.object} == {i, j}]
    related = [(Relation(0, predicate, 1),) for predicate in (*arranged, *_PLACES)]
    return tuple(
        (Fact(first[::way], relations), Fact(second[::way], relations))
        for way in (1, -1)
        for relations in [(), *related]
    )


def _of_pair(
    scene: Scene, i: int, j: int, predicates: tuple[str, ...]
) -> Iterator[tuple[Fact, Fact]]:
    """One thing to another, and the other way round; sometimes both with their colours."""
    a, b = scene.things[i], scene.things[j]
    for coloured in (False, True):
        named = [Description(each.category, each.colour if coloured else None) for each in (a, b)]
        for one, other in (named, named[::-1]):
            for predicate in predicates:
                relations = (Relation(0, predicate, 1),)
                yield Fact((one, other), relations), Fact((other, one), relations)


def _of_deeds(scene: Scene, i: int, j: int) -> Iterator[tuple[Fact, Fact]]:
    """What the first figure does, and that the other is there, or what it does."""
    one, other = (Description(scene.things[place].category) for place in (i, j))
    for deed in _deeds(scene, i, without=j):
        target = Description(scene.things[deed.object].category)
        done = Relation(0, deed.predicate, 1)
        yield Fact((one, target, other), (done,)), Fact((other, target, one), (done,))
        for second in _deeds(scene, j, without=i):
            if second.object == deed.object:
                continue
            more = Description(scene.things[second.object].category)
            both = done, Relation(2, second.predicate, 3)
            yield Fact((one, target, other, more), both), Fact((other, target, one, more), both)


def _deeds(scene: Scene, place: int, without: int) -> list[Relation]:
    return [
        each
        for each in scene.relations
        if each.subject == place and each.object != without and each.predicate in ACTIONS
    ]


#: What makes a thing the one that it is, and how it looks.
_WHO = ("category", "tone", "light")
_LOOK = ("colour", "second", "texture")


def _exchanged(scene: Scene, i: int, j: int, fields: tuple[str, ...]) -> Scene:
    a, b = scene.things[i], scene.things[j]
    return _with(
        scene,
        {
            i: replace(a, **{name: getattr(b, name) for name in fields}),
            j: replace(b, **{name: getattr(a, name) for name in fields}),
        },
    )


def _with(scene: Scene, changed: Mapping[int, Thing]) -> Scene:
    things = tuple(changed.get(place, thing) for place, thing in enumerate(scene.things))
    return replace(scene, things=things)


def _free(scene: Scene, place: int) -> bool:
    """Whether nothing was arranged between this thing and others."""
    return all(place not in (each.subject, each.object) for each in scene.relations)


def _inside(thing: Thing) -> bool:
    x0, y0, x1, y1 = bounds(thing)
    return x0 >= 0 and y0 >= 0 and x1 <= 1 and y1 <= 1


_SWAPS: Mapping[str, Callable[[Scene, int, int], Iterator[Swap]]] = {
    "colour": _looks("colour"),
    "texture": _looks("texture"),
    "size": _sizes,
    "roles": _roles,
    "places": _places,
}

#: What can be exchanged.
KINDS = tuple(_SWAPS)
