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
        candidates: how many there were to choose from; None where the case has a value.
        ranks: of the one and of the other, a rank, or value, a training, by seed.
    """

    case_id: int
    candidates: int | None
    ranks: tuple[tuple[float, ...], tuple[float, ...]]


def differences(one: Ranks, other: Ranks, count: int) -> tuple[list[Difference], list[Difference]]:
    """The cases where the other is furthest ahead, and those where the one is.

    Ahead is who has the higher reciprocal rank on average over its trainings: of two candidates,
    who is right in more of them; of values, who has the better mean. Of equal cases those that a
    fixed random order has first, so that a file's first rows are not favoured; of a cluster the
    first alone, so that an image is not shown again and again.

    Args:
        one, other: the same cases.
        count: at most so many each way.
    """
    ahead = _merit(other) - _merit(one)
    shuffled = np.random.default_rng(0).permutation(len(ahead))
    return _furthest(one, other, ahead, shuffled, count), _furthest(
        one, other, -ahead, shuffled, count
    )


def _merit(found: Ranks) -> npt.NDArray[np.float64]:
    if found.values is not None:
        return np.asarray((-1 if found.loss else 1) * found.values.mean(axis=0), np.float64)
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
    ranked = one.values is None
    found = [each.ranks if each.values is None else each.values for each in (one, other)]
    return [
        Difference(
            int(one.case_ids[place]),
            int(one.candidates[place]) if ranked else None,
            (tuple(found[0][:, place].tolist()), tuple(found[1][:, place].tolist())),
        )
        for place in order[np.sort(firsts)][:count]
    ]
