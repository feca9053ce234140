"""Many comparisons at once: the more one asks, the more answers are wrong by luck alone."""

from collections.abc import Sequence

import numpy as np


def adjust(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of one family of comparisons, by Holm (1979).

    With the p-values in ascending order, p(1) <= ... <= p(m), the adjusted k-th is the largest of
    min(1, (m - j + 1) p(j)) over j <= k. Where each is at most a to be called a finding, the chance
    of any false finding in the family is at most a, however the comparisons depend on each other.

    Args:
        p_values: of the comparisons of one family, 0..1.

    Returns:
        The adjusted ones, 0..1, in the order given; of a single comparison the p-value itself.
    """
    raw = np.asarray(p_values, np.float64)
    order = np.argsort(raw, kind="stable")
    stepped = np.minimum(1, raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.maximum.accumulate(stepped)
    return [float(each) for each in adjusted]
