"""Which tokens of an image stand first: by what they count for, or at random."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def first(merit: Tensor, readable: Tensor, share: float) -> Tensor:
    """The tokens of the highest merit, [B, N] bool: of n readable ones ceil(share n).

    Args:
        merit: [B, N]; of equal ones the token that stands first counts for more.
        readable: [B, N] bool, which tokens there are.
        share: 0..1.
    """
    # A product such as 0.2 x 15 may lie a little above the whole number that it is.
    count = (share * readable.sum(dim=1).double() - 1e-9).ceil()
    order = merit.masked_fill(~readable, float("-inf")).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    return readable & (rank < count[:, None])


def drawn(
    image_ids: npt.NDArray[np.int64], readable: Tensor, draws: int, stream: int
) -> list[Tensor]:
    """Draws of merits [B, N], which depend on an image alone, and not on the batch that it is in.

    Args:
        image_ids: [B].
        readable: [B, N], as of `first`.
        draws: how many.
        stream: those of another one are independent.
    """
    tokens = readable.shape[1]
    found = np.stack(
        [
            np.random.default_rng([stream, each]).random((tokens, draws))
            for each in image_ids.tolist()
        ]
    )
    return [torch.from_numpy(found[..., draw]).to(readable.device) for draw in range(draws)]
