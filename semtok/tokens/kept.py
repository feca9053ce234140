"""Which masks and relations of an extraction become part of a token set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from semtok.tokens.extraction import Extraction
from semtok.tokens.rows import Int


def largest_masks(found: Extraction, most: int) -> Int:
    """The largest masks: numbers (0..M-1), largest first, no more than `most`."""
    return np.argsort(-found.areas, kind="stable")[:most]


def best_relations(
    found: Extraction, kept: Int, most: int
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """The relations among the kept masks, by falling score, no more than `most`.

    Args:
        found: what an extractor found in one image.
        kept: numbers of the masks.
        most: how many.

    Returns:
        Ends [E, 2] as positions in `kept`, and E predicates.
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
