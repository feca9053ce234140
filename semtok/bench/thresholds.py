"""Thresholds: from which similarity on a caption is called true, learned from other images.

A similarity has no zero from which on a caption is true; where that lies differs between models. So
it is learned, from cases whose answer is known, and never from those that it is asked about.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from semtok.bench.ranking import TIE

#: Sums of shares that differ by less differ by rounding: a caption more is a larger step.
_ROUNDING = 1e-9

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def judged(similarities: Floats, true: Bools, halves: npt.NDArray[np.int64]) -> Bools:
    """Whether each caption is told to be true, or false, rightly.

    Each half is judged by the threshold of the other. A similarity at the threshold is a miss, as
    is all of a half whose other half has no threshold.

    Args:
        similarities: [N] of captions and images.
        true: [N] whether the caption is true of the image.
        halves: [N] 0 or 1.
    """
    right = np.zeros(len(true), np.bool_)
    for half in range(2):
        here = halves == half
        found = threshold(similarities[~here], true[~here])
        if found is not None:
            above = similarities[here] - found
            right[here] = np.where(true[here], above > TIE, above < -TIE)
    return right


def halves_of(images: npt.NDArray[np.int64], captions: Sequence[str]) -> npt.NDArray[np.int64]:
    """The half of each case; those that share an image or a caption are in one, directly or not.

    Else one would tell of another: where a caption is true of one image and false of a second, a
    half that has the first alone learns to call it true, and is wrong of the second more often than
    a guess.

    Args:
        images: [N] their ids.
        captions: N of them.

    Returns:
        [N] 0 or 1, the halves as equal as what belongs together leaves them: the largest part comes
        first, of equal ones that with the smallest image id, each to the half that has fewer cases.
    """
    shared = [np.unique(each, return_inverse=True)[1] for each in (captions, images)]
    own, before = images, None
    while before is None or (own != before).any():
        before = own
        for groups in shared:
            least = np.full(groups.max(initial=0) + 1, np.iinfo(np.int64).max)
            np.minimum.at(least, groups, own)
            own = least[groups]
    ids, places, sizes = np.unique(own, return_inverse=True, return_counts=True)
    half, filled = np.zeros(len(ids), np.int64), [0, 0]
    for part in np.lexsort((ids, -sizes)).tolist():
        half[part] = int(filled[1] < filled[0])
        filled[half[part]] += int(sizes[part])
    return half[places]


def threshold(similarities: Floats, true: Bools) -> float | None:
    """The threshold by which true and false captions are told right most often, both alike.

    That is the one with the highest mean of the share of true captions above it and of false ones
    below it (balanced accuracy).

    It lies midway between two neighbouring similarities; of equally good ones it is the middle one,
    of an even number of them the upper of the two in the middle.

    Args:
        similarities: [N].
        true: [N].

    Returns:
        None where there is none: no caption is true, or none is false, or all are as similar.
    """
    order = np.argsort(similarities, kind="stable")
    values, true = similarities[order], true[order]
    gaps = np.flatnonzero(np.diff(values) > 2 * TIE)
    if true.all() or not true.any() or not len(gaps):
        return None
    # Of a threshold behind each place: true captions above it, false ones at or below it.
    above = 1 - np.cumsum(true) / true.sum()
    below = np.cumsum(~true) / (~true).sum()
    shares = (above + below)[gaps]
    best = gaps[shares > shares.max() - _ROUNDING]
    place = best[len(best) // 2]
    return float((values[place] + values[place + 1]) / 2)
