"""Composing: a backdrop, some encounters on it, and where each of them stands."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from semtok.data.scenes.actions import ENCOUNTERS
from semtok.data.scenes.backdrops import Backdrop, backdrop
from semtok.data.scenes.cast import Box, Cast, Group, moved
from semtok.data.scenes.held_out import HeldOut, Novelty
from semtok.data.scenes.scene import Relation, Scene, Thing

#: How many things are in a picture, and the weight of each number.
_COUNTS = {2: 2, 3: 4, 4: 5, 5: 5, 6: 4, 7: 3, 8: 2}

_COVERED = 0.4  # share of a thing's box that another group may cover, where there is room
_TRIALS = 16  # places tried for a group


def scene(
    seed: int,
    index: int | str,
    size: int,
    held: HeldOut | None = None,
    novelty: Novelty | None = None,
) -> Scene:
    """Compose the scene of an image: a pure function of its arguments.

    Args:
        seed: the data set's.
        index: the image id, or whatever else the scene is of.
        size: pixels a side. Nothing in the scene but its field `size` depends on it.
        held: what the scene must not show.
        novelty: of `held`, what it is to show once, all else being as in other scenes: a look of
            one thing, or an action of the first encounter.
    """
    rng = random.Random(f"scene {seed} {index}")
    stage = backdrop(rng)
    count = rng.choices(list(_COUNTS), list(_COUNTS.values()))[0]
    cast = Cast(rng, stage.indoors, tuple(stage.bands), held)
    placed: list[Group] = []
    boxes: list[Box] = []
    for group in _groups(cast, count, novelty == "action"):
        group, taken = _placed(group, stage, boxes, rng)
        placed.append(group)
        boxes += taken
    things, relations = _joined(placed)
    if held and novelty in ("colour", "texture"):
        things = _repainted(things, held, novelty, rng)
    return Scene(size, stage.patches, things, relations, rng.getrandbits(32))


def _repainted(
    things: tuple[Thing, ...], held: HeldOut, novelty: Novelty, rng: random.Random
) -> tuple[Thing, ...]:
    """One of the things has a look that is held out."""
    place = rng.randrange(len(things))
    thing = things[place]
    if novelty == "colour":
        thing = replace(thing, colour=held.colour(thing.category), second=thing.colour)
    else:
        thing = replace(thing, texture=held.texture(thing.category))
    return (*things[:place], thing, *things[place + 1 :])


def _groups(cast: Cast, count: int, novel: bool) -> list[Group]:
    """Encounters of `count` things together; the first one is of several things.

    What is held out does not happen, but in the first encounter where that is to be `novel`.
    """
    encounters, weights = zip(*ENCOUNTERS, strict=True)
    groups: list[Group] = []
    while count:
        group = cast.rng.choices(encounters, weights)[0](cast)
        wanted = novel and not groups
        if cast.held and bool(cast.held.among(group.things, group.relations)) != wanted:
            continue
        if len(group.things) <= count and (groups or len(group.things) > 1):
            groups.append(group)
            count -= len(group.things)
    return groups


def _placed(
    group: Group, stage: Backdrop, taken: Sequence[Box], rng: random.Random
) -> tuple[Group, list[Box]]:
    """The group, and its boxes, where it covers little of what stands there already."""
    boxes = group.bounds()
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right = max(box[2] for box in boxes)
    low, high = stage.bands[group.place]
    least, chosen = math.inf, (0.0, 0.0)
    for _ in range(_TRIALS):
        dx = rng.uniform(*sorted((0.01 - left, 0.99 - right)))
        dy = max(rng.uniform(low, high), min(0.02 - top, high))
        shifted = _shifted(boxes, dx, dy)
        covered = max((_covered(a, b) for a in shifted for b in taken), default=0.0)
        if covered < least:
            least, chosen = covered, (dx, dy)
        if covered < _COVERED:
            break
    things = tuple(moved(thing, *chosen) for thing in group.things)
    return replace(group, things=things), _shifted(boxes, *chosen)


def _shifted(boxes: Sequence[Box], dx: float, dy: float) -> list[Box]:
    return [(x0 + dx, y0 + dy, x1 + dx, y1 + dy) for x0, y0, x1, y1 in boxes]


def _covered(a: Box, b: Box) -> float:
    """Area of the overlap over the smaller area."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _joined(groups: Sequence[Group]) -> tuple[tuple[Thing, ...], tuple[Relation, ...]]:
    """All things in one list, lower in the picture means nearer."""
    things: list[Thing] = []
    relations: list[Relation] = []
    feet = [max(thing.y for thing in group.things if thing.depth == 0.0) for group in groups]
    far_to_near = sorted(range(len(groups)), key=lambda number: feet[number])
    for number, group in enumerate(groups):
        rank, first = far_to_near.index(number), len(things)
        things += [
            replace(thing, depth=rank + thing.depth, reach_depth=rank + thing.reach_depth)
            for thing in group.things
        ]
        relations += [
            Relation(first + each.subject, each.predicate, first + each.object)
            for each in group.relations
        ]
    return tuple(things), tuple(relations)
