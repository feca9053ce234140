"""How well a mask fits the true one: F-measure, IoU and accuracy, as salient objects are scored."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: beta^2 of the F-measure, which weighs precision above recall.
BETA_SQUARED = 0.3

#: Values above which a pixel counts as found, for the F-measure at the best of them.
THRESHOLDS = np.arange(255) / 255


class Overlap(NamedTuple):
    """Of one image, 0..1.

    Attributes:
        f: (1 + b2) P R / (b2 P + R), of precision P and recall R, b2 = 0.3; 0 where both are 0.
        iou: shared pixels over those of either mask.
        accuracy: share of pixels that are on the right side.
    """

    f: float
    iou: float
    accuracy: float


def overlap(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Overlap:
    """Hold a mask against the true one.

    Args:
        mask: [H, W].
        truth: [H, W], of one pixel at least.
    """
    shared, found, true = (int(each.sum()) for each in (mask & truth, mask, truth))
    right = float((mask == truth).mean())
    return Overlap(float(_f(shared, found, true)), shared / (found + true - shared), right)


def f_curve(heat: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The F-measure of the pixels whose value is above each of `THRESHOLDS`: [255].

    The largest value of the mean of images' curves is max F.

    Args:
        heat: [H, W], 0..1.
        truth: [H, W], of one pixel at least.
    """
    # How many thresholds a value is above says for which of them its pixel is found.
    above = np.searchsorted(THRESHOLDS, heat, side="left")
    found, shared = (
        np.bincount(each.ravel(), minlength=len(THRESHOLDS) + 1)[:0:-1].cumsum()[::-1]
        for each in (above, above[truth])
    )
    return _f(shared, found, truth.sum())


def _f(
    shared: NDArray[np.int64] | int, found: NDArray[np.int64] | int, true: int
) -> NDArray[np.float64]:
    """With P = shared / found and R = shared / true, multiplied out: nothing is divided by 0."""
    return np.asarray((1 + BETA_SQUARED) * shared / (BETA_SQUARED * true + found))
