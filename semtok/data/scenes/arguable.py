"""What may be said of a picture, too, though no caption of it does.

Captions and annotations say where things are in the one direction that tells most, and of what
acts on something else only that. What is up and to the left may still be said to be higher up. So
a sentence is called false only where it is not arguable either, and all that is arguable counts as
true where a caption looks for its pictures.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations

from semtok.data.scenes.scene import Relation
from semtok.data.scenes.segment import Segment, length

#: What a deed comes with.
_IMPLIED: Mapping[str, tuple[str, ...]] = {
    "carrying": ("holding",),
    "riding": ("sitting on", "on"),
    "sitting on": ("on",),
    "standing on": ("on",),
}

_OVERLAP = 0.5  # of the smaller of two boxes: with more in common, neither is to a side
_NEAR = 0.15  # a gap between things beside one another, in image sides


def arguable(
    segments: Sequence[Segment], relations: Iterable[Relation], size: int
) -> Iterator[Relation]:
    """What may be said of segments besides the relations that are listed; some come twice.

    Args:
        segments: of a picture; relations name their places.
        relations: that hold.
        size: pixels a side of the picture.
    """
    for each in relations:
        for predicate in _IMPLIED.get(each.predicate, ()):
            yield Relation(each.subject, predicate, each.object)
    things = [(place, each) for place, each in enumerate(segments) if each.thing is not None]
    for (i, a), (j, b) in permutations(things, 2):
        beyond = [_gap(a, b, axis) for axis in (0, 1)]
        before, above = (_before(a, b, axis) for axis in (0, 1))
        if before:
            yield Relation(i, "left of", j)
            yield Relation(j, "right of", i)
        if above:
            yield Relation(i, "above", j)
            yield Relation(j, "below", i)
            if beyond[0] < 0:
                yield Relation(i, "over", j)
        if max(beyond) <= _NEAR * size:
            yield Relation(i, "beside", j)
        if beyond[0] < 0 and _nearer(a, b) and (beyond[1] < 0 or _grounded(a, b)):
            yield Relation(i, "in front of", j)
            yield Relation(j, "behind", i)


def _gap(a: Segment, b: Segment, axis: int) -> int:
    """The pixels between two boxes along x or y; below 0, they overlap by so many."""
    return max(a.box[axis] - b.box[axis + 2], b.box[axis] - a.box[axis + 2])


def _before(a: Segment, b: Segment, axis: int) -> bool:
    """Whether one box lies to the left of another, or above it, by half of the smaller or more."""
    return a.box[axis + 2] - b.box[axis] <= _OVERLAP * min(length(a, axis), length(b, axis))


def _nearer(a: Segment, b: Segment) -> bool:
    return a.thing is not None and b.thing is not None and a.thing.depth > b.thing.depth


def _grounded(*segments: Segment) -> bool:
    return all(each.thing is not None and each.thing.grounded for each in segments)
