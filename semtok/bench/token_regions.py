"""Which tokens of an image hang together, and where in the image they are."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def paint(
    values: NDArray[Scalar], owners: NDArray[np.int64], height: int, width: int
) -> NDArray[Scalar]:
    """The values [N] of tokens at every pixel of their image, [height, width].

    Args:
        values: of the tokens.
        owners: [h, w], the token of each cell of a grid that is stretched over the image.
        height, width: of the image in pixels.
    """
    rows, columns = (
        np.arange(length) * cells // length
        for length, cells in zip((height, width), owners.shape, strict=True)
    )
    return values[owners[np.ix_(rows, columns)]]


def around(side: NDArray[np.bool_], seed: int, owners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The tokens of a side that hang together with one of it, by cells that touch: [N] bool.

    Args:
        side: [N], which tokens are of the side.
        seed: one that is.
        owners: [h, w], the token of each cell; cells touch above, below and beside.
    """
    touching = [
        np.stack([one.ravel(), other.ravel()])
        for one, other in ((owners[1:], owners[:-1]), (owners[:, 1:], owners[:, :-1]))
    ]
    ends = np.unique(np.concatenate(touching, axis=1), axis=1)
    ends = ends[:, side[ends].all(axis=0)]
    ends = np.concatenate([ends, ends[::-1]], axis=1)
    reached = np.zeros(len(side), bool)
    found = np.array([seed])
    while len(found):
        reached[found] = True
        nearby = ends[1, reached[ends[0]]]
        found = nearby[~reached[nearby]]
    return reached
