"""Agreement of chosen classes with true ones beyond chance: Cohen's kappas (1960, 1968).

kappa = 1 - D / E, with D the mean distance |i - j|^p of the true class i and the chosen one j, and
E what it would be if the same classes were chosen regardless of the image. p = 0 asks whether the
two differ; p = 2 (quadratic weights) is for grades, where further off is worse.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: Metric -> the power of the distance between two classes.
QUADRATIC = "quadratic_kappa"
POWERS = {"kappa": 0, QUADRATIC: 2}

Floats = npt.NDArray[np.float64]


def kappas(
    labels: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.int64],
    counts: Floats,
    powers: Sequence[int] = (*POWERS.values(),),
) -> Floats:
    """Kappas of several trainings, on the cases as they are or resampled.

    Args:
        labels: [N] the class of each case, from 0.
        chosen: [S, N] the class that each training puts first.
        counts: [B, N] how often each case is counted.
        powers: p of each of K kappas.

    Returns:
        [B, S, K] in percent; 0 where chance alone would agree always.
    """
    places = np.arange(1 + max(labels.max(), chosen.max()))
    true = counts @ (labels[:, None] == places)
    sizes = counts.sum(axis=1)
    found = np.empty((len(counts), len(chosen), len(powers)))
    for seed, classes in enumerate(chosen):
        taken = counts @ (classes[:, None] == places)
        for number, power in enumerate(powers):
            observed = counts @ _distances(labels, classes, power)
            apart = _distances(places[:, None], places, power)
            by_chance = np.sum((true @ apart) * taken, axis=1) / sizes
            with np.errstate(divide="ignore", invalid="ignore"):
                beyond = 100 * (1 - observed / by_chance)
            found[:, seed, number] = np.where(by_chance > 0, beyond, 0.0)
    return found


def _distances(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64], power: int) -> Floats:
    return np.asarray((one != other) * np.abs(one - other) ** float(power), np.float64)
