"""LOST: one object of an image, from the features of its patches alone (arXiv 2109.14279).

Patches of an object resemble few others, so that the patch with the fewest positive products is its
seed; what resembles the seed and the other patches of few products is the object. The features
are those of the last block, as they are: neither centred nor normalised. Where most products are
positive, as in DINOv2, a bias on all of them decides what counts as alike; those who added one by
hand (arXiv 2309.16588) did not print it. Here a rule finds it.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench.token_regions import around
from semtok.errors import SemtokError

#: Patches of lowest degree among which the object's are sought: k in the paper.
_CANDIDATES = 100

#: Images of which the bias is found.
_OF_BIAS = 50

#: Left, top, right, bottom; the last two lie outside.
Box: TypeAlias = tuple[float, float, float, float]


def lost(features: Tensor, owners: NDArray[np.int64], bias: float = 0.0) -> Box:
    """Find the box of one object.

    Args:
        features: [N, d], of the tokens.
        owners: [h, w], the token of each cell: of patches, their numbers in reading order.
        bias: added to all products of features.

    Returns:
        In cells. It holds the seed, be it alone, which upstream refuses to leave so.
    """
    gram = _gram(features) + bias
    alike = gram > 0
    degree = alike.sum(dim=1) - alike.diagonal().long()
    order = degree.argsort(stable=True)
    seed = int(order[0])
    similar = order[:_CANDIDATES]
    similar = similar[alike[seed, similar]]
    mask = (gram[similar].sum(dim=0) > 0).numpy()
    mask[seed] = True
    ys, xs = np.nonzero(around(mask, seed, owners)[owners])
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def gram_bias(images: Sequence[Tensor], rule: str) -> float:
    """The bias that a rule finds, the mean of what it finds in each image.

    Args:
        images: features [P, d] of each, of two patches at least.
        rule: "none": 0. "centre": products of two different patches have mean 0. A number, 0 to
            100: so many per cent of these products are not positive.

    Raises:
        SemtokError: no such rule.
    """
    if rule == "none":
        return 0.0
    if rule != "centre" and not (rule.replace(".", "", 1).isdecimal() and float(rule) <= 100):
        raise SemtokError(f"--bias {rule}: give none, centre, or a percentile from 0 to 100")
    found = []
    for each in images:
        products = _gram(each)
        apart = products[~torch.eye(len(products), dtype=torch.bool)].numpy()
        found.append(apart.mean() if rule == "centre" else np.percentile(apart, float(rule)))
    return -float(np.mean(found))


def drawn(images: int) -> list[int]:
    """Which of some images a bias is found of: 50 at most, drawn with seed 0, in their order."""
    return sorted(np.random.default_rng(0).permutation(images)[:_OF_BIAS].tolist())


def hits(box: Box, truths: NDArray[np.float64]) -> bool:
    """Whether a box has an IoU of 0.5 or more with any true one, [G, 4] of `Box`.

    The share of images with a hit is CorLoc.
    """
    low, high = np.maximum(box[:2], truths[:, :2]), np.minimum(box[2:], truths[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    own = (box[2] - box[0]) * (box[3] - box[1])
    union = own + (truths[:, 2:] - truths[:, :2]).prod(axis=1) - shared
    return bool((shared >= 0.5 * union).any())


def _gram(features: Tensor) -> Tensor:
    exact = features.double().cpu()
    return exact @ exact.T
