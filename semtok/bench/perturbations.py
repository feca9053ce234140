"""ARO's perturbations of a caption's word order (Yuksekgonul et al. 2023)."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_Shuffle = Callable[[Ints, Sequence[str], np.random.Generator], Ints]

_NOUNS = ("NN", "NNS", "NNP", "NNPS")
_ADJECTIVES = ("JJ", "JJR", "JJS")
_DRAWS = 10  # until a caption changes


def perturbed(words: Sequence[str], tags: Sequence[str], seed: Sequence[int]) -> list[str]:
    """A caption in other orders; those that leave it as it is are left out.

    In turn: nouns among nouns and adjectives among adjectives; all other words; the words within
    each three; the threes.

    Args:
        words: of the caption, as `semtok.data.words` finds them.
        tags: the part of speech of each, of the Penn Treebank.
        seed: of the random numbers; the same seed gives the same orders.

    Returns:
        Up to four different captions.
    """
    found: dict[str, None] = {}
    for number, shuffle in enumerate(_SHUFFLES):
        random = np.random.default_rng([*seed, number])
        for _ in range(_DRAWS):
            order = shuffle(np.arange(len(words)), tags, random)
            other = [words[place] for place in order]
            if other != list(words):
                found[" ".join(other)] = None
                break
    return list(found)


def _nouns_and_adjectives(order: Ints, tags: Sequence[str], random: np.random.Generator) -> Ints:
    return _among(_among(order, np.isin(tags, _NOUNS), random), np.isin(tags, _ADJECTIVES), random)


def _others(order: Ints, tags: Sequence[str], random: np.random.Generator) -> Ints:
    return _among(order, ~np.isin(tags, _NOUNS + _ADJECTIVES), random)


def _within_trigrams(order: Ints, tags: Sequence[str], random: np.random.Generator) -> Ints:
    return np.concatenate([random.permutation(each) for each in _trigrams(order)])


def _trigrams_shuffled(order: Ints, tags: Sequence[str], random: np.random.Generator) -> Ints:
    threes = _trigrams(order)
    return np.concatenate([threes[place] for place in random.permutation(len(threes))])


def _among(order: Ints, chosen: npt.NDArray[np.bool_], random: np.random.Generator) -> Ints:
    order = order.copy()
    order[chosen] = random.permutation(order[chosen])
    return order


def _trigrams(order: Ints) -> list[Ints]:
    """By threes from the first word on; the last may be shorter."""
    return np.split(order, range(3, len(order), 3))


_SHUFFLES: tuple[_Shuffle, ...] = (
    _nouns_and_adjectives,
    _others,
    _within_trigrams,
    _trigrams_shuffled,
)
