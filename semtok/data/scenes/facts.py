"""Facts: what a caption claims, in a form that can be checked on any picture."""

from collections.abc import Iterator
from dataclasses import dataclass

from semtok.data.scenes.observation import Observation
from semtok.data.scenes.scene import Relation
from semtok.data.scenes.segment import Segment


@dataclass(frozen=True)
class Description:
    """A noun phrase: what it leaves open is None."""

    name: str  # a category or a kind of stuff
    colour: str | None = None
    texture: str | None = None
    size: str | None = None

    def fits(self, segment: Segment) -> bool:
        """Whether a segment is such a thing."""
        if segment.name != self.name:
            return False
        wanted = (self.colour, self.texture, self.size)
        if segment.thing is None:
            return wanted == (None, None, None)
        found = (segment.thing.colour, segment.thing.texture, segment.thing.size)
        return all(w is None or w == f for w, f in zip(wanted, found, strict=True))


@dataclass(frozen=True)
class Fact:
    """There are different segments of these descriptions, related like this, and so many of others.

    Attributes:
        described: one segment each.
        relations: subject and object are places in `described`.
        counted: exactly so many segments fit.
    """

    described: tuple[Description, ...] = ()
    relations: tuple[Relation, ...] = ()
    counted: tuple[tuple[int, Description], ...] = ()


def holds(observation: Observation, fact: Fact) -> bool:
    """Whether a fact is true of a picture."""
    return _found(observation, fact, observation.related)


def is_arguable(observation: Observation, fact: Fact) -> bool:
    """Whether a fact may be called true of a picture; where not, it is false for sure."""
    return _found(observation, fact, observation.arguable)


def _found(observation: Observation, fact: Fact, related: frozenset[Relation]) -> bool:
    for count, description in fact.counted:
        if sum(map(description.fits, observation.segments)) != count:
            return False
    return any(True for _ in _assignments(observation, fact, related, ()))


def _assignments(
    observation: Observation,
    fact: Fact,
    related: frozenset[Relation],
    chosen: tuple[int, ...],
) -> Iterator[tuple[int, ...]]:
    """Every way to find the described segments, one after the other."""
    for each in fact.relations:
        if max(each.subject, each.object) == len(chosen) - 1:
            found = Relation(chosen[each.subject], each.predicate, chosen[each.object])
            if found not in related:
                return
    if len(chosen) == len(fact.described):
        yield chosen
        return
    for place, segment in enumerate(observation.segments):
        if place not in chosen and fact.described[len(chosen)].fits(segment):
            yield from _assignments(observation, fact, related, (*chosen, place))
