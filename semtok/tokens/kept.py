"""Which masks and relations of an extraction become part of a token set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semtok.tokens.extraction import Extraction
from semtok.tokens.rows import Int


def best_masks(found: Extraction, most: int) -> Int:
    """The masks with the highest scores, no more than `most`.

    Of equally good ones the largest are kept, of equally large ones those of the lowest ids. So
    where masks are annotations, all of score 1, these are the largest.

    Returns:
        Numbers (0..M-1), largest first, of equally large ones the lowest ids first.
    """
    largest = np.lexsort((found.mask_id, -found.areas))
    if len(largest) <= most:
        return largest
    best = np.argsort(-found.mask_scores[largest], kind="stable")[:most]
    return np.asarray(largest[np.sort(best)])


def best_relations(
    found: Extraction, kept: Int, most: int
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """The relations among the kept masks with the highest scores, no more than `most`.

    Of equally good ones the first are kept: scene graphs list them by the ids of subject and
    object, then by predicate.

    Args:
        found: what an extractor found in one image.
        kept: numbers of the masks.
        most: how many.

    Returns:
        By falling score: ends [E, 2] as positions in `kept`, and E predicates.
    """
    if not len(found.relations):
        return np.empty((0, 2), np.int16), ()
    position = np.full(found.mask_id.max() + 2, -1)
    position[found.mask_id[kept]] = np.arange(len(kept))
    # The last place stands for ids that no mask has.
    ends = position[np.minimum(found.relations, len(position) - 1)]
    whole = np.flatnonzero((ends >= 0).all(axis=1))
    best = whole[np.argsort(-found.scores[whole], kind="stable")[:most]]
    names: NDArray[Any] = found.predicates[best]
    return ends[best].astype(np.int16), tuple(names)
