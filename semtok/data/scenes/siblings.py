"""Siblings: two pictures of the same things that one exchange tells apart.

Winoground's idea (Thrush et al. 2022), made by the generator: each picture of a pair has a
sentence that is true of it and false of the other, in the very same words. Whoever reads the
sentences without the pictures is right as often as wrong.
"""

import random
from dataclasses import dataclass

from semtok.data.scenes.captions import sentence
from semtok.data.scenes.compose import scene
from semtok.data.scenes.facts import Fact, holds, is_arguable
from semtok.data.scenes.held_out import NOVELTIES, HeldOut
from semtok.data.scenes.picture import Picture, picture
from semtok.data.scenes.swaps import KINDS, Swap, swaps
from semtok.errors import SemtokError

_SHOWN = 150 / 128**2  # share of the picture that each of the two things shows at least
_TRIALS = 400  # scenes composed in search of one that allows the swap
_SWAPS = 3  # swaps tried in one scene, each of which has to be drawn


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pictures of the same things on the same backdrop.

    Attributes:
        kind: what was exchanged, one of `swaps.KINDS`.
        first: the one picture.
        second: the other.
        first_caption: true of the first picture and false of the second.
        second_caption: the same words in another order, true of the second and false of the first.
    """

    kind: str
    first: Picture
    second: Picture
    first_caption: str
    second_caption: str


def pair(
    seed: int, index: int, size: int, held: HeldOut | None = None, novel: bool = False
) -> Pair:
    """Make a pair of siblings: a pure function of its arguments.

    Kinds take turns, and so do `NOVELTIES`. Scenes are composed until one allows the swap of its
    turn.

    Args:
        seed: the data set's.
        index: the pair's number, from 0.
        size: pixels a side.
        held: what neither picture has; None: nothing is held out.
        novel: both pictures show some of what is held out, instead.

    Raises:
        SemtokError: no scene allows the swap; the size is too small to see anything.
    """
    name = f"novel {index}" if novel else f"{index}"
    rng = random.Random(f"siblings {seed} {name}")
    kind = KINDS[index % len(KINDS)]
    novelty = NOVELTIES[index // len(KINDS) % len(NOVELTIES)] if novel else None

    def fits(seen: Picture) -> bool:
        if held is None:
            return True
        return bool(held.shown(seen.observation)) if novel else not held.within(seen.scene)

    for trial in range(_TRIALS):
        composed = scene(seed, f"pair {name} {trial}", size, held, novelty)
        found = swaps(kind, composed)
        rng.shuffle(found)
        if not found:
            continue
        first = picture(composed)
        if not fits(first):
            continue
        for swap in found[:_SWAPS]:
            made = _told_apart(kind, first, swap, rng)
            if made and fits(made.second):
                return made
    raise SemtokError(
        f"params.yaml: data.settings.scenes.size: {size} is too small to show siblings; raise it"
    )


def _told_apart(kind: str, first: Picture, swap: Swap, rng: random.Random) -> Pair | None:
    """The pair, where both show the same things and a pair of sentences tells them apart."""
    if not _shown(first, swap):
        return None
    second = picture(swap.scene)
    if not _shown(second, swap) or _names(first) != _names(second):
        return None
    facts = list(swap.facts)
    rng.shuffle(facts)
    for one, other in facts:
        if _only(one, first, second) and _only(other, second, first):
            spoken = rng.getrandbits(32)  # both choose the same words
            captions = [sentence(fact, random.Random(spoken)) for fact in (one, other)]
            if _words(captions[0]) == _words(captions[1]):
                return Pair(kind, first, second, *captions)
    return None


def _only(fact: Fact, true_of: Picture, false_of: Picture) -> bool:
    return holds(true_of.observation, fact) and not is_arguable(false_of.observation, fact)


def _shown(seen: Picture, swap: Swap) -> bool:
    """Whether enough can be seen of both things."""
    areas = {segment.number - 1: segment.area for segment in seen.observation.segments}
    return min(areas.get(place, 0) for place in swap.places) >= _SHOWN * seen.ids.size


def _names(seen: Picture) -> list[str]:
    """What can be seen: things and stuff."""
    return sorted(segment.name for segment in seen.observation.segments)


def _words(text: str) -> list[str]:
    return sorted(text.lower().rstrip(".").split())
