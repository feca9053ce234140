"""TokenCut: what stands out in an image, by a normalised cut of its tokens (arXiv 2202.11539).

Tokens are the vertices of a graph, and two whose features have a cosine above tau are joined. The
normalised cut (Shi and Malik 2000) parts them where few are joined, and of the two sides the one
that differs most from all others is what stands out: of that side, what hangs together with the
token that differs most.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench.token_regions import around

#: Weight of the edge between two tokens that are not alike, so that the graph is connected.
_UNALIKE = 1e-5

#: Values of the eigenvector that differ by less, relative to the largest, are equal.
_EQUAL = 1e-9


@dataclass(frozen=True)
class Cut:
    """What stands out among the N tokens of an image.

    Attributes:
        mask: [N] bool, at least one of them.
        heat: [N] float64, 0..1, how far each is on the side of what stands out: the eigenvector.
    """

    mask: NDArray[np.bool_]
    heat: NDArray[np.float64]


def token_cut(features: Tensor, owners: NDArray[np.int64], tau: float) -> Cut:
    """Part the tokens of an image in two.

    The second smallest eigenvector y of (D - W) y = l D y parts them at its mean. W is 1 where two
    are alike and 1e-5 elsewhere, D has the sums of its rows. Where all are alike, or none are,
    there is nothing to cut, and the whole image stands out.

    Args:
        features: [N, d].
        owners: [h, w], the token of each cell of the image; tells which ones touch.
        tau: the cosine (-1..1) above which two are alike; the paper has 0.2.
    """
    unit = F.normalize(features.double().cpu(), dim=1)
    alike = unit @ unit.T > tau
    others = alike[~torch.eye(len(alike), dtype=torch.bool)]
    if bool(others.all()) or not bool(others.any()):
        return Cut(np.ones(len(alike), bool), np.ones(len(alike)))
    weights = torch.where(alike, 1.0, _UNALIKE).double()
    scale = weights.sum(dim=1).rsqrt()
    # The same eigenvalues, of a symmetric matrix: D^-1/2 (D - W) D^-1/2, and y = D^-1/2 z.
    laplacian = torch.eye(len(weights), dtype=torch.float64) - scale[:, None] * weights * scale
    vector = (scale * torch.linalg.eigh(laplacian).eigenvectors[:, 1]).numpy()
    extent = np.abs(vector)
    seed = int(np.argmax(extent >= extent.max() * (1 - _EQUAL)))
    vector = vector * np.sign(vector[seed])  # an eigenvector has no sign of its own
    side = vector > vector.mean()
    heat = (vector - vector.min()) / (vector.max() - vector.min())
    return Cut(around(side, seed, owners), heat)
