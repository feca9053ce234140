"""Contrasts: two pictures and two sentences, each true of its own picture and false of the other.

Siblings are contrasts that were drawn as such; here are those that pictures make by chance, in one
thing that is said: who does it, what is done or how it looks. Each sentence of a contrast is right
once and wrong once, so that whoever reads the sentences alone is right as often as wrong.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from semtok.data.halves import half
from semtok.data.scenes.captions import sentence
from semtok.data.scenes.facts import Description, Fact, is_arguable
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.scene import Relation
from semtok.data.scenes.segment import Segment

_TRIES = 20  # pictures looked at closely in search of a partner, for one thing to say


@dataclass(frozen=True)
class Contrast:
    """Two pictures and what tells them apart.

    Attributes:
        images: their ids, both in one half of their folder.
        facts: the first is true of the first image alone, the second of the second.
        captions: the facts in words, which differ in nothing else.
    """

    images: tuple[int, int]
    facts: tuple[Fact, Fact]
    captions: tuple[str, str]


#: What can be said of a picture: a fact, and what it has in common with those to contrast it with.
Say = Callable[[Observation], Iterator[tuple[Hashable, Fact]]]


def contrasts(
    pictures: Mapping[int, Observation],
    sibling: Mapping[int, int],
    say: Say,
    rng: random.Random,
) -> list[Contrast]:
    """Pair pictures off, each once at most.

    Args:
        pictures: image id -> what can be seen.
        sibling: of two siblings the second id -> the first: both fall into one half.
        say: all that may be said of a picture.
    """
    waiting: defaultdict[Hashable, dict[int, Fact]] = defaultdict(dict)
    asked: dict[int, list[Hashable]] = {}  # the keys that an image waits under
    found = []
    for image, seen in pictures.items():
        split = half(sibling.get(image, image))
        sayings: list[tuple[Hashable, Fact]] = [((split, key), fact) for key, fact in say(seen)]
        rng.shuffle(sayings)
        if partner := _partner(pictures, seen, sayings, waiting):
            other, of_other, fact = partner
            spoken = rng.getrandbits(32)  # both choose the same words
            texts = [sentence(each, random.Random(spoken)) for each in (of_other, fact)]
            found.append(Contrast((other, image), (of_other, fact), (texts[0], texts[1])))
            for key in asked.pop(other):
                waiting[key].pop(other, None)
            continue
        for key, fact in sayings:
            waiting[key].setdefault(image, fact)
        asked[image] = [key for key, _ in sayings]
    return found


def _partner(
    pictures: Mapping[int, Observation],
    seen: Observation,
    sayings: list[tuple[Hashable, Fact]],
    waiting: Mapping[Hashable, Mapping[int, Fact]],
) -> tuple[int, Fact, Fact] | None:
    """A picture that waits, its fact, and the fact of this one."""
    for key, fact in sayings:
        for other, of_other in list(waiting.get(key, {}).items())[:_TRIES]:
            if not is_arguable(seen, of_other) and not is_arguable(pictures[other], fact):
                return other, of_other, fact
    return None


def attributes(seen: Observation) -> Iterator[tuple[Hashable, Fact]]:
    """A thing of a colour, texture or size, alone and as who does something."""
    for segment in _things(seen):
        for look, described in _looks(segment):
            yield (segment.name, look), Fact((described,))
    for each, subject, target in _related(seen):
        for look, described in _looks(subject):
            key = subject.name, look, each.predicate, target.name
            yield key, _told(described, each, Description(target.name))


def objects(seen: Observation) -> Iterator[tuple[Hashable, Fact]]:
    """Who does something to what: either of the two is asked for."""
    for each, subject, target in _related(seen):
        fact = _told(Description(subject.name), each, Description(target.name))
        yield ("subject", each.predicate, target.name), fact
        yield ("object", each.predicate, subject.name), fact


def relations(seen: Observation) -> Iterator[tuple[Hashable, Fact]]:
    """What one does to another, or where it is to it."""
    for each, subject, target in _related(seen):
        fact = _told(Description(subject.name), each, Description(target.name))
        yield (subject.name, target.name), fact


def roles(predicate: str) -> Say:
    """Which of two does it to the other."""

    def say(seen: Observation) -> Iterator[tuple[Hashable, Fact]]:
        for each, subject, target in _related(seen):
            if each.predicate == predicate:
                fact = _told(Description(subject.name), each, Description(target.name))
                yield frozenset((subject.name, target.name)), fact

    return say


def owners(seen: Observation) -> Iterator[tuple[Hashable, Fact]]:
    """Which of two looks is which of two things'."""
    for first, second in combinations(sorted(_things(seen), key=lambda each: each.name), 2):
        if first.name != second.name:
            for (look, one), (other_look, other) in product(_looks(first), _looks(second)):
                values = frozenset(getattr(each, look) for each in (one, other))
                if look == other_look and len(values) == 2:
                    yield (first.name, second.name, values), Fact((one, other))


def _told(subject: Description, relation: Relation, target: Description) -> Fact:
    return Fact((subject, target), (Relation(0, relation.predicate, 1),))


def _looks(segment: Segment) -> Iterator[tuple[str, Description]]:
    """What captions may say of a thing's look, and of what kind that is."""
    thing = segment.thing
    assert thing is not None
    yield "colour", Description(segment.name, colour=thing.colour)
    if thing.texture != "plain":
        yield "texture", Description(segment.name, texture=thing.texture)
    if thing.size != "medium":
        yield "size", Description(segment.name, size=thing.size)


def _things(seen: Observation) -> Iterator[Segment]:
    return (segment for segment in seen.segments if segment.thing is not None)


def _related(seen: Observation) -> Iterator[tuple[Relation, Segment, Segment]]:
    """The relations among things of different categories."""
    for each in seen.relations:
        subject, target = seen.segments[each.subject], seen.segments[each.object]
        if subject.thing and target.thing and subject.name != target.name:
            yield each, subject, target
