"""What can be seen in a picture, and every relation that holds among it.

Annotations and captions both come from here, never from one another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes.arguable import arguable
from semtok.data.scenes.catalogue import THING
from semtok.data.scenes.render import STUFF_ID
from semtok.data.scenes.scene import Relation, Scene
from semtok.data.scenes.segment import Segment, length, middle
from semtok.data.scenes.vocabulary import STUFF

_SEEN = 40 / 128**2  # share of the picture below which nothing is annotated or mentioned
_TOUCHING = 4 / 128  # length of a common border that counts, in image sides
_NEAR = 0.1  # a gap between things beside one another, in image sides


@dataclass(frozen=True)
class Observation:
    """What a perfect observer sees.

    Attributes:
        segments: things in the scene's order, then stuff; what is nearly hidden is left out.
        relations: all that hold among segments (places in `segments`), by predicate of
            `vocabulary.PREDICATES` or `vocabulary.CAPTION_PREDICATES`.
    """

    size: int
    segments: tuple[Segment, ...]
    relations: tuple[Relation, ...]

    @cached_property
    def related(self) -> frozenset[Relation]:
        """The relations, to ask for one."""
        return frozenset(self.relations)

    @cached_property
    def arguable(self) -> frozenset[Relation]:
        """These, and all that one may say as well: what is not among them is false for sure."""
        return self.related.union(arguable(self.segments, self.relations, self.size))


def observe(scene: Scene, ids: NDArray[np.uint8]) -> Observation:
    """See a picture.

    Args:
        scene: what was drawn.
        ids: [S, S], as `render.render` returns it.
    """
    areas = np.bincount(ids.ravel(), minlength=256)
    segments = tuple(
        Segment(
            name=STUFF[number - STUFF_ID] if thing is None else thing.category,
            number=number,
            area=int(areas[number]),
            box=_box(ids, number),
            thing=thing,
        )
        for number, thing in [
            *((1 + place, thing) for place, thing in enumerate(scene.things)),
            *((STUFF_ID + place, None) for place in range(len(STUFF))),
        ]
        if areas[number] >= max(_SEEN * ids.size, 1)
    )
    relations = dict.fromkeys(_arranged(scene, segments))
    relations |= dict.fromkeys(_stood_on(segments, ids))
    relations |= dict.fromkeys(_spatial(segments, tuple(relations), ids))
    return Observation(scene.size, segments, tuple(relations))


def _box(ids: NDArray[np.uint8], number: int) -> tuple[int, int, int, int]:
    x, y, w, h = cv2.boundingRect((ids == number).astype(np.uint8))
    return int(x), int(y), int(x + w), int(y + h)


def _arranged(scene: Scene, segments: tuple[Segment, ...]) -> Iterator[Relation]:
    """What the scene arranged, where both ends can be seen."""
    places = {segment.number - 1: place for place, segment in enumerate(segments)}
    for each in scene.relations:
        if each.subject in places and each.object in places:
            yield Relation(places[each.subject], each.predicate, places[each.object])


def _stood_on(segments: tuple[Segment, ...], ids: NDArray[np.uint8]) -> Iterator[Relation]:
    """The stuff that shows under what stands on the ground."""
    places = {segment.number: place for place, segment in enumerate(segments)}
    depth = max(1, len(ids) // 50)
    for place, segment in enumerate(segments):
        if not _grounded(segment):
            continue
        x0, _, x1, y1 = segment.box
        below = ids[y1 : y1 + depth, x0:x1]
        counts = np.bincount(below[below >= STUFF_ID], minlength=256)
        if counts.any() and (stuff := places.get(int(counts.argmax()))) is not None:
            category = THING[segment.name]
            alive = category.hands or category.harness
            yield Relation(place, "standing on" if alive else "on", stuff)


def _spatial(
    segments: tuple[Segment, ...], known: tuple[Relation, ...], ids: NDArray[np.uint8]
) -> Iterator[Relation]:
    """Where things are to one another; for depth and nearness, only what nothing else links."""
    linked = {frozenset((each.subject, each.object)) for each in known}
    resting = {_supported(each) for each in known}
    borders = _borders(ids)
    things = [(place, each) for place, each in enumerate(segments) if each.thing is not None]
    for i, a in things:
        for j, b in things:
            if i == j:
                continue
            yield from (Relation(i, predicate, j) for predicate in _in_plane(a, b, len(ids)))
            if frozenset((i, j)) in linked:
                continue
            touching = borders[a.number, b.number] >= _TOUCHING * len(ids)
            if touching and _nearer(a, b):
                yield Relation(i, "in front of", j)
                yield Relation(j, "behind", i)
            elif not touching and _beside(a, b, len(ids)):
                yield Relation(i, "beside", j)
            elif not touching and i not in resting and _over(a, b):
                yield Relation(i, "over", j)


def _in_plane(a: Segment, b: Segment, size: int) -> Iterator[str]:
    """Left, right, above and below: boxes that hardly overlap in that direction."""
    ax, ay, bx, by = middle(a, 0), middle(a, 1), middle(b, 0), middle(b, 1)
    if abs(ax - bx) >= abs(ay - by):
        if a.box[2] - b.box[0] <= 0.2 * min(length(a, 0), length(b, 0)):
            yield "left of"
        if b.box[2] - a.box[0] <= 0.2 * min(length(a, 0), length(b, 0)):
            yield "right of"
    elif abs(ax - bx) <= 0.3 * size:
        if a.box[3] - b.box[1] <= 0.1 * min(length(a, 1), length(b, 1)):
            yield "above"
        if b.box[3] - a.box[1] <= 0.1 * min(length(a, 1), length(b, 1)):
            yield "below"


def _beside(a: Segment, b: Segment, size: int) -> bool:
    """Near one another on the same ground."""
    gap = max(a.box[0] - b.box[2], b.box[0] - a.box[2])
    level = abs(a.box[3] - b.box[3]) <= _NEAR * size
    return _grounded(a) and _grounded(b) and 0 <= gap <= _NEAR * size and level


def _over(a: Segment, b: Segment) -> bool:
    shared = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    return a.box[3] <= b.box[1] and shared >= 0.5 * min(length(a, 0), length(b, 0))


def _grounded(segment: Segment) -> bool:
    return segment.thing is not None and segment.thing.grounded


def _supported(relation: Relation) -> int:
    """The end of a relation that rests on something, or is in someone's hands; else -1."""
    if relation.predicate in ("on", "standing on", "sitting on", "riding"):
        return relation.subject
    return relation.object if relation.predicate in ("holding", "carrying", "wearing") else -1


def _nearer(a: Segment, b: Segment) -> bool:
    assert a.thing is not None
    assert b.thing is not None
    overlap = [min(a.box[k + 2], b.box[k + 2]) - max(a.box[k], b.box[k]) for k in (0, 1)]
    return min(overlap) > 0 and a.thing.depth > b.thing.depth


def _borders(ids: NDArray[np.uint8]) -> NDArray[np.int64]:
    """[256, 256]: number of neighbouring pixel pairs with these two ids, both ways."""
    codes = [
        first[differ].astype(np.int64) * 256 + second[differ]
        for first, second in ((ids[:, 1:], ids[:, :-1]), (ids[1:], ids[:-1]))
        for differ in [first != second]
    ]
    table = np.bincount(np.concatenate(codes), minlength=256 * 256).reshape(256, 256)
    return np.asarray(table + table.T, np.int64)
