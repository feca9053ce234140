"""Captions: a grammar that says some of what holds in a picture.

Each caption is first a fact, drawn from all that a perfect observer sees, then words. It
mentions a few things, and of them some attributes; it may count, or say where things are. Its
random stream has nothing to do with the one that keeps or drops annotated relations, so a
caption may rest on a relation that the annotations lack.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from semtok.data.scenes.catalogue import THING
from semtok.data.scenes.facts import Description, Fact
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.scene import Relation
from semtok.data.scenes.vocabulary import ACTIONS, CAPTION_PREDICATES, SPATIAL_PREDICATES, STUFF

_COUNT = 5  # captions of an image
_TRIALS = 40  # to make them differ

#: How a predicate is said; {} stands for the object where it does not come last.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "over": ("over", "up in the air over"),
    "in front of": ("in front of", "partly hiding"),
    "beside": ("beside", "next to", "close to"),
    "on": ("on", "on top of"),
    "carrying": ("carrying {} in both hands", "carrying {} with both hands"),
    "looking at": ("looking at", "watching"),
    "chasing": ("chasing", "running after"),
    "left of": ("to the left of", "left of"),
    "right of": ("to the right of", "right of"),
    "above": ("above", "higher up than"),
    "below": ("below", "lower down than"),
    "behind": ("behind", "partly hidden by"),
}

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")

_OPENINGS = ("", "", "", "there is ", "a picture of ", "we see ")

_DEEDS = frozenset(ACTIONS)
_PLACES = frozenset((*SPATIAL_PREDICATES, *CAPTION_PREDICATES))


@dataclass(frozen=True)
class Caption:
    """A sentence and the fact that it states."""

    text: str
    fact: Fact


def captions(observation: Observation, rng: random.Random) -> list[Caption]:
    """Five captions of a picture, different where it has enough to say."""
    said: list[Caption] = []
    for trial in range(_TRIALS):
        teller = _Teller(observation, rng)
        text = rng.choices(_FORMS, _WEIGHTS)[0](teller) or _listing(teller)
        text = _as_sentence(text)
        if trial >= _TRIALS - _COUNT or all(text != other.text for other in said):
            said.append(Caption(text, teller.fact()))
        if len(said) == _COUNT:
            break
    return said


def sentence(fact: Fact, rng: random.Random) -> str:
    """Say a fact whose relations each lead from one of its descriptions to the next.

    The choice of words depends on the random numbers alone: two facts with the same predicates are
    said alike.
    """
    predicates = {each.object: each.predicate for each in fact.relations}
    text = rng.choice(_OPENINGS) + noun(fact.described[0])
    for place, description in enumerate(fact.described[1:], 1):
        if place in predicates:
            text = f"{text} {_done_to(noun(description), predicates[place], rng)}"
        else:
            # The comma keeps what is there as well from being held, too.
            text = f"{text}{',' if predicates else ''} and {noun(description)}"
    return _as_sentence(text)


def statement(subject: Description, predicate: str, target: Description) -> str:
    """Say of one that it does something to another, always in the same words."""
    words = _WORDS.get(predicate, (predicate,))[0]
    done = words if "{}" in words else f"{words} {{}}"
    return f"{definite(subject)} is {done.format(definite(target))}"


def definite(description: Description) -> str:
    """A thing or stuff with its attributes, as one that is known."""
    return f"the {noun(description).partition(' ')[2]}"


def noun(description: Description) -> str:
    """A thing or stuff with its article and its attributes."""
    if description.name in STUFF:
        return f"the {description.name}"
    words = _phrase(description, THING[description.name].singular or description.name)
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _done_to(noun: str, predicate: str, rng: random.Random) -> str:
    words = rng.choice(_WORDS.get(predicate, (predicate,)))
    return words.format(noun) if "{}" in words else f"{words} {noun}"


def _as_sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


class _Teller:
    """Chooses words and notes what they claim."""

    def __init__(self, observation: Observation, rng: random.Random) -> None:
        self.observation = observation
        self.rng = rng
        self.counted: list[tuple[int, Description]] = []
        self._described: list[Description] = []
        self._relations: list[Relation] = []
        self._mentioned: dict[int, int] = {}  # place of a segment -> place of its description

    def fact(self) -> Fact:
        return Fact(tuple(self._described), tuple(self._relations), tuple(self.counted))

    def things(self) -> list[int]:
        """Places of all things, or of the stuff where no thing can be seen."""
        segments = self.observation.segments
        return [i for i, each in enumerate(segments) if each.thing] or list(range(len(segments)))

    def find(
        self, predicates: frozenset[str], subject: int | None = None, stuff: bool = False
    ) -> Relation | None:
        """A relation that holds, to something not mentioned yet."""
        found = [
            each
            for each in self.observation.relations
            if each.predicate in predicates
            and subject in (None, each.subject)
            and each.object not in self._mentioned
            and (self.observation.segments[each.object].thing is None) == stuff
        ]
        return self.rng.choice(found) if found else None

    def noun(self, place: int) -> str:
        """Mention a segment, with some of its attributes."""
        segment = self.observation.segments[place]
        self._mentioned[place] = len(self._described)
        thing, rng = segment.thing, self.rng
        if thing is None:
            description = Description(segment.name)
            self._described.append(description)
            return noun(description)
        description = Description(
            segment.name,
            colour=thing.colour if rng.random() < 0.55 else None,
            texture=thing.texture if thing.texture != "plain" and rng.random() < 0.4 else None,
            size=thing.size if thing.size != "medium" and rng.random() < 0.35 else None,
        )
        self._described.append(description)
        return noun(description)

    def relate(self, relation: Relation) -> str:
        """Say what the subject, already mentioned, does to the object."""
        words = relation.predicate
        if self.observation.segments[relation.object].thing is not None:
            words = self.rng.choice(_WORDS.get(words, (words,)))
        noun = self.noun(relation.object)
        ends = self._mentioned[relation.subject], self._mentioned[relation.object]
        self._relations.append(Relation(ends[0], relation.predicate, ends[1]))
        return words.format(noun) if "{}" in words else f"{words} {noun}"


def _phrase(description: Description, name: str) -> str:
    look = [each for each in (description.texture, description.colour) if each]
    size = [description.size] if description.size else []
    if THING[description.name].clothed:
        dress = ["in", *look, *(() if description.colour else ("clothes",))] if look else []
        return " ".join([*size, name, *dress])
    return " ".join([*size, *look, name])


def _deed(teller: _Teller) -> str | None:
    """Who does what, sometimes where."""
    if (deed := teller.find(_DEEDS)) is None:
        return None
    opening = teller.rng.choice(_OPENINGS)
    verb = "is " if not opening and teller.rng.random() < 0.5 else ""
    text = f"{opening}{teller.noun(deed.subject)} {verb}{teller.relate(deed)}"
    return text + _on_stuff(teller, deed.subject)


def _two_deeds(teller: _Teller) -> str | None:
    """Who does two things at once."""
    if (first := teller.find(_DEEDS)) is None:
        return None
    text = f"{teller.noun(first.subject)} {teller.relate(first)}"
    if (second := teller.find(_DEEDS, first.subject)) is None:
        return text
    return f"{text} and {teller.relate(second)}"


def _deed_and_place(teller: _Teller) -> str | None:
    """Who does what, and where that is."""
    if (deed := teller.find(_DEEDS)) is None:
        return None
    text = f"{teller.noun(deed.subject)} {teller.relate(deed)}"
    place = teller.find(_PLACES, deed.subject)
    return text if place is None else f"{text}, {teller.relate(place)}"


def _place(teller: _Teller) -> str | None:
    """Where something is."""
    if (place := teller.find(_PLACES)) is None:
        return None
    opening = teller.rng.choice(_OPENINGS)
    verb = "is " if not opening else ""
    return f"{opening}{teller.noun(place.subject)} {verb}{teller.relate(place)}"


def _setting(teller: _Teller) -> str | None:
    """What something stands on."""
    if (ground := teller.find(_GROUND, stuff=True)) is None:
        return None
    return f"{teller.rng.choice(_OPENINGS)}{teller.noun(ground.subject)} {teller.relate(ground)}"


def _number(teller: _Teller) -> str | None:
    """How many there are of something, and something else."""
    rng = teller.rng
    things = [each for each in teller.observation.segments if each.thing]
    kinds = Counter(
        description
        for each in things
        if each.thing
        for description in (Description(each.name), Description(each.name, each.thing.colour))
    )
    several = [(count, kind) for kind, count in kinds.items() if count > 1]
    if not several:
        return None
    count, kind = rng.choice(several)
    teller.counted.append((count, kind))
    category = THING[kind.name]
    text = f"{_NUMBERS[count]} {_phrase(kind, category.plural or f'{kind.name}s')}"
    others = [
        place for place in teller.things() if teller.observation.segments[place].name != kind.name
    ]
    if others and rng.random() < 0.6:
        text = f"{text} and {teller.noun(rng.choice(others))}"
    return text


def _listing(teller: _Teller) -> str:
    """Some of what there is."""
    things = teller.things()
    chosen = teller.rng.sample(things, min(len(things), teller.rng.randint(1, 3)))
    nouns = [teller.noun(place) for place in chosen]
    text = f"{', '.join(nouns[:-1])} and {nouns[-1]}" if len(nouns) > 1 else nouns[0]
    return f"{teller.rng.choice(_OPENINGS)}{text}{_on_stuff(teller, chosen[-1])}"


def _on_stuff(teller: _Teller, place: int) -> str:
    """Sometimes, where the thing stands."""
    ground = teller.find(_GROUND, place, stuff=True)
    return f" {teller.relate(ground)}" if ground and teller.rng.random() < 0.25 else ""


_GROUND = frozenset(("on", "standing on"))

_FORMS: tuple[Callable[[_Teller], str | None], ...] = (
    _deed,
    _two_deeds,
    _deed_and_place,
    _place,
    _setting,
    _number,
    _listing,
)
_WEIGHTS = (5, 2, 2, 4, 1, 2, 3)
