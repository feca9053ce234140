"""What is held out: combinations that novel2017 shows and the other pictures never do.

Every category, colour, texture and action is known from training; some of them are never seen
together there. Of each category one colour and one texture are held out, and one in eight of all
triples (subject, action, object) of things.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from semtok.data.scenes.observation import Observation
from semtok.data.scenes.scene import Relation, Scene, Thing
from semtok.data.scenes.vocabulary import ACTIONS, COLOURS, STUFF, TEXTURES

#: (colour or texture, category), or (subject's category, action, object's category).
Combination = tuple[str, ...]

#: By what a composed scene is made novel.
Novelty = Literal["colour", "texture", "action"]
NOVELTIES: tuple[Novelty, ...] = ("colour", "texture", "action")

_ACTIONS_OF = 8  # one in so many triples is held out


@dataclass(frozen=True)
class HeldOut:
    """The combinations that a data set holds out: a pure function of its seed."""

    seed: int

    def colour(self, category: str) -> str:
        """The colour that a category never has in training."""
        return _looks(self.seed, category)[0]

    def texture(self, category: str) -> str:
        """The texture that a category never has in training; not `plain`."""
        return _looks(self.seed, category)[1]

    def action(self, subject: str, predicate: str, target: str) -> bool:
        """Whether a triple of categories is held out; none that ends in stuff is."""
        known = predicate not in ACTIONS or target in STUFF
        return not known and _chosen(self.seed, subject, predicate, target)

    def within(self, scene: Scene) -> frozenset[Combination]:
        """What is held out of all that a scene has, whether it can be seen or not."""
        return self.among(scene.things, scene.relations)

    def shown(self, seen: Observation) -> frozenset[Combination]:
        """What is held out of all that can be seen."""
        return self.among([segment.thing for segment in seen.segments], seen.relations)

    def among(
        self, things: Sequence[Thing | None], relations: Iterable[Relation]
    ) -> frozenset[Combination]:
        """What is held out of some things (None: stuff) and the relations among their places."""
        return frozenset(self._among(things, relations))

    def _among(
        self, things: Sequence[Thing | None], relations: Iterable[Relation]
    ) -> Iterator[Combination]:
        for thing in things:
            if thing is not None:
                if thing.colour == self.colour(thing.category):
                    yield thing.colour, thing.category
                if thing.texture == self.texture(thing.category):
                    yield thing.texture, thing.category
        for each in relations:
            subject, target = things[each.subject], things[each.object]
            if subject is not None and target is not None:
                triple = subject.category, each.predicate, target.category
                if self.action(*triple):
                    yield triple


@cache
def _looks(seed: int, category: str) -> tuple[str, str]:
    rng = random.Random(f"held out {seed} {category}")
    return rng.choice(list(COLOURS)), rng.choice([each for each in TEXTURES if each != "plain"])


@cache
def _chosen(seed: int, *triple: str) -> bool:
    name = f"held out {seed} {' '.join(triple)}"
    return hashlib.blake2b(name.encode(), digest_size=4).digest()[0] % _ACTIONS_OF == 0
