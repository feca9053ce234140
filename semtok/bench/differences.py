"""The cases that two variants answer most differently: to look at, not to count."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from semtok.bench.cases import Ranks


@dataclass(frozen=True)
class Difference:
    """One case, as two variants answered it.

    Attributes:
        case_id: which one.
        candidates: how many there were to choose from.
        ranks: of the one and of the other, a rank a training, by seed.
    """

    case_id: int
    candidates: int
    ranks: tuple[tuple[int, ...], tuple[int, ...]]


def differences(one: Ranks, other: Ranks, count: int) -> tuple[list[Difference], list[Difference]]:
    """The cases where the other is furthest ahead, and those where the one is.

    Ahead is who has the higher reciprocal rank on average over its trainings: of two candidates,
    who is right in more of them. Of equal cases those that a fixed random order has first, so
    that a file's first rows are not favoured; of a cluster the first alone, so that an image is
    not shown again and again.

    Args:
        one, other: the same cases.
        count: at most so many each way.
    """
    ahead = _mean_reciprocal(other) - _mean_reciprocal(one)
    shuffled = np.random.default_rng(0).permutation(len(ahead))
    return _furthest(one, other, ahead, shuffled, count), _furthest(
        one, other, -ahead, shuffled, count
    )


def _mean_reciprocal(found: Ranks) -> npt.NDArray[np.float64]:
    return np.asarray((1 / found.ranks).mean(axis=0), np.float64)


def _furthest(
    one: Ranks,
    other: Ranks,
    ahead: npt.NDArray[np.float64],
    shuffled: npt.NDArray[np.int64],
    count: int,
) -> list[Difference]:
    order = shuffled[np.argsort(-ahead[shuffled], kind="stable")]
    order = order[ahead[order] > 0]
    _, firsts = np.unique(one.clusters[order], return_index=True)
    return [
        Difference(
            int(one.case_ids[place]),
            int(one.candidates[place]),
            (tuple(one.ranks[:, place].tolist()), tuple(other.ranks[:, place].tolist())),
        )
        for place in order[np.sort(firsts)][:count]
    ]
