"""What one expects of an observer who puts some candidates in random order.

One who cannot see orders all candidates at random: chance. A perfect observer puts what is true
before what is not, and what is true at random, since seeing does not tell which of it was meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from semtok.bench.cases import MEDIAN_RANK, RANKED, RECALLS, Ranks, measure, measured


@dataclass(frozen=True)
class Bounds:
    """Metric -> value of those who see nothing and everything.

    Attributes:
        chance: of one who cannot see; nothing of values, which are no choice among candidates.
        ceiling: of a perfect observer; None where the data set does not say what is true.
        blind: of one who reads the captions alone; None where nobody asked.
    """

    chance: Mapping[str, float]
    ceiling: Mapping[str, float] | None
    blind: Mapping[str, float] | None = None


def bounds(ranks: Ranks) -> Bounds:
    """Between what the metrics of some cases lie."""
    if ranks.values is not None:
        return Bounds({}, None)
    return Bounds(
        chance=expected(ranks.candidates, ranks.answers) | _kappas(ranks, 0.0),
        ceiling=None
        if ranks.truths is None
        else expected(ranks.truths, ranks.answers) | _kappas(ranks, 100.0),
        blind=None if ranks.blind is None else _measured(ranks.blind, ranks.groups),
    )


def _kappas(ranks: Ranks, value: float) -> dict[str, float]:
    """Agreement beyond chance, where there are classes: nothing by chance, all at the ceiling."""
    return {metric: value for metric in measured(ranks) if metric not in RANKED}


def _measured(
    ranks: npt.NDArray[np.int64], groups: npt.NDArray[np.int64] | None
) -> dict[str, float]:
    return dict(zip(RANKED, measure(ranks[None], groups)[0].tolist(), strict=True))


def expected(ordered: npt.NDArray[np.int64], answers: npt.NDArray[np.int64]) -> dict[str, float]:
    """All metrics of an observer who puts so many candidates first, in random order.

    Args:
        ordered: [N] how many candidates of each case are put in random order, before all others.
        answers: [N] how many of these are right answers, from 1.

    Returns:
        Metric -> value: recalls in percent; the median rank is the place that half of the cases
        are expected to have reached.
    """
    shares = [float(each.mean()) for each in _reached(ordered, answers)]
    found = {name: 100 * shares[min(limit, len(shares)) - 1] for name, limit in RECALLS.items()}
    # Rounding may leave a half a hair below itself.
    found[MEDIAN_RANK] = 1.0 + sum(share < 0.5 - 1e-12 for share in shares)
    return found


def reached(
    ordered: npt.NDArray[np.int64], answers: npt.NDArray[np.int64], limit: int
) -> npt.NDArray[np.float64]:
    """The chance of each case that its best answer is at most at place `limit`.

    1 - C(N - r, K) / C(N, K) for r answers among N in random order and K places.

    Args:
        ordered: [N] as `expected`.
        answers: [N] as `expected`.
        limit: the last place that counts, from 1.

    Returns:
        [N], 0..1.
    """
    return next(islice(_reached(ordered, answers), limit - 1, None), np.ones(len(ordered)))


def _reached(
    ordered: npt.NDArray[np.int64], answers: npt.NDArray[np.int64]
) -> Iterator[npt.NDArray[np.float64]]:
    """`reached` for the places 1, 2, ... up to the last that anyone orders."""
    missed = np.ones(len(ordered))
    for place in range(int(ordered.max(initial=0))):
        # Where none of the places before holds an answer, this one does not with such a chance.
        missed = missed * np.clip(1 - answers / np.maximum(ordered - place, 1), 0, None)
        yield 1 - missed
