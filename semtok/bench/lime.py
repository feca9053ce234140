"""LIME (Ribeiro et al. 2016, arXiv 1602.04938) over the tokens of an image.

A linear model of which tokens there are is fitted to what the model makes of random sets of them,
those that lack little counting for more; a token's weight is what it counts for. Sets are drawn as
in the paper: how many tokens are left is uniform, and then which. Weighed by exp(-D^2 / sigma^2),
D the cosine distance to the whole set. All weights are asked for at once, by ridge regression, as
the authors' code does by default, and not by the paper's lasso, which leaves a few.

OURS: sigma and the penalty, as that code has them for images, but that it takes the square root of
the kernel and draws each component with probability 1/2; and that how many tokens are left is not
drawn, but spread evenly, up to the whole set.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semtok.bench.orders import drawn, first
from semtok.errors import SemtokError

_SIGMA = 0.25
#: Of the weights' squares; the constant is not penalised.
_PENALTY = 1.0

#: Of random orders 0 is the floor's.
_STREAM = 1


@torch.no_grad()
def lime(
    image_ids: npt.NDArray[np.int64],
    readable: Tensor,
    probability: Callable[[Tensor], Tensor],
    draws: int,
) -> Tensor:
    """What each token counts for, [B, N] float64; 0 for those that are not there.

    Args:
        image_ids: [B], which alone decide what is drawn.
        readable: [B, N] bool, which tokens there are.
        probability: of what is explained, [B], once the tokens that it is given are left alone,
            [B, N] bool. Where images have equally many tokens, equally many of each are left.
        draws: sets of tokens.

    Raises:
        SemtokError: they are fewer than the tokens.
    """
    if draws < (most := int(readable.sum(dim=1).max())):
        raise SemtokError(
            f"bench.settings.faithfulness.lime_draws: {draws} sets of tokens do not tell "
            f"{most} tokens apart; raise it to several times as many"
        )
    random = drawn(image_ids, readable, draws, _STREAM)
    sets = [first(merit, readable, (n + 1) / draws) for n, merit in enumerate(random)]
    found = torch.stack([probability(each).double() for each in sets], dim=1)
    there = torch.stack(sets, dim=1).double()
    # The cosine of a set of k tokens with that of all n is the square root of k / n.
    left = there.sum(dim=2) / readable.sum(dim=1, keepdim=True).clamp(min=1)
    weight = (-((1 - left.sqrt()) / _SIGMA).square()).exp()
    return _ridge(there, found, weight)


def _ridge(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The weights, [B, N], of B linear models with a constant: of x [B, D, N] to y [B, D]."""
    share = (weight / weight.sum(dim=1, keepdim=True))[..., None]
    x = x - (share * x).sum(dim=1, keepdim=True)
    y = y[..., None] - (share * y[..., None]).sum(dim=1, keepdim=True)
    weighed = (weight[..., None] * x).mT
    penalty = _PENALTY * torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
    found: Tensor = torch.linalg.solve(weighed @ x + penalty, weighed @ y)
    return found[..., 0]
