"""Which tokens are artifacts: those whose norm lies beyond a valley of the histogram.

Darcet et al. (arXiv 2309.16588) cut at a norm read off a histogram with two modes by hand, another
for each model. Here the histogram decides (ours):

1. The density of ln(norm) over all tokens, by a Gaussian kernel of standard deviation 0.1: norms
   that differ by a tenth are the same.
2. Its highest mode is that of normal tokens. An upper mode is a local maximum at twice that norm or
   more, with a valley between them that is at most half as high as it.
3. The cut-off is the lowest point of the valley in front of the highest of the upper modes, if at
   least one token in a thousand lies beyond it. Else there is none.
"""

import numpy as np
from numpy.typing import NDArray

#: All in the units of ln(norm).
_STEP, _KERNEL = 0.01, 0.1
_FARTHER = np.log(2)
_VALLEY = 0.5
_SHARE = 0.001


def cutoff(norms: NDArray[np.floating]) -> float | None:
    """The norm from which on a token is an outlier.

    Args:
        norms: of all tokens, in any shape, not negative.

    Returns:
        The norm, or None where the histogram has one mode.
    """
    logs = np.log(np.maximum(norms.astype(np.float64).ravel(), np.finfo(np.float64).tiny))
    first = logs.min() - 5 * _KERNEL
    bins = np.floor((logs - first) / _STEP).astype(np.int64)
    counts = np.bincount(bins, minlength=bins.max() + 1 + round(5 * _KERNEL / _STEP))
    reach = np.arange(-round(5 * _KERNEL / _STEP), round(5 * _KERNEL / _STEP) + 1) * _STEP
    density = np.convolve(counts, np.exp(-0.5 * (reach / _KERNEL) ** 2), mode="same")
    main = int(density.argmax())
    inner = density[1:-1]
    modes = 1 + np.flatnonzero((inner > density[:-2]) & (inner >= density[2:]))
    upper = [
        mode
        for mode in modes[modes >= main + _FARTHER / _STEP]
        if density[main:mode].min() <= _VALLEY * density[mode]
    ]
    if not upper:
        return None
    highest = max(upper, key=lambda mode: density[mode])
    valley = density[main:highest]
    # A valley without any token is flat: its middle is as far from both modes as can be.
    lowest = main + int(np.median(np.flatnonzero(valley <= valley.min())))
    found = float(np.exp(first + (lowest + 0.5) * _STEP))
    return found if np.mean(logs >= np.log(found)) >= _SHARE else None
