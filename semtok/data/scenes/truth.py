"""Truth: every caption, evaluated on every picture."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from semtok.data.scenes.facts import Description, Fact, is_arguable
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.segment import Segment


def truth(facts: Sequence[Fact], observations: Sequence[Observation]) -> list[list[int]]:
    """Evaluate every fact on every picture.

    Args:
        facts: what is claimed.
        observations: the pictures.

    Returns:
        For each fact the places of the observations that it may be called true of, ascending.
    """
    # Few pictures have all that a fact asks for; only these are looked at closely.
    having: defaultdict[Hashable, set[int]] = defaultdict(set)
    for place, observation in enumerate(observations):
        for clue in _offered(observation):
            having[clue].add(place)
    everywhere = set(range(len(observations)))
    return [
        [
            place
            for place in sorted(everywhere.intersection(*(having[clue] for clue in _asked(fact))))
            if is_arguable(observations[place], fact)
        ]
        for fact in facts
    ]


def _offered(observation: Observation) -> Iterator[Hashable]:
    """What can be asked of the picture: names, looks and related names."""
    segments = observation.segments
    for segment in segments:
        yield from _looks(segment)
    for each in observation.arguable:
        yield segments[each.subject].name, each.predicate, segments[each.object].name


def _looks(segment: Segment) -> Iterator[Hashable]:
    yield segment.name
    if segment.thing is not None:
        for look in (segment.thing.colour, segment.thing.texture, segment.thing.size):
            yield segment.name, look


def _asked(fact: Fact) -> set[Hashable]:
    """What a picture must have for the fact to hold there."""
    clues: set[Hashable] = set()
    for each in (*fact.described, *(kind for count, kind in fact.counted if count)):
        clues.update(_asked_of(each))
    for relation in fact.relations:
        ends = fact.described[relation.subject].name, fact.described[relation.object].name
        clues.add((ends[0], relation.predicate, ends[1]))
    return clues


def _asked_of(description: Description) -> Iterator[Hashable]:
    yield description.name
    for look in (description.colour, description.texture, description.size):
        if look is not None:
            yield description.name, look
