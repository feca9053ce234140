"""Where tokens are, as vectors."""

import math

import torch
from torch import Tensor, nn

from semtok.tokens.batch import positions

#: Numbers of a box: centre x, centre y, width, height, area.
BOX = 5


def geometry_embedding(numbers: int, width: int) -> nn.Module:
    """Make what embeds the geometry of tokens, [B, N, G] -> [B, N, width].

    A box needs a network: nothing is in proportion to its centre. A histogram of positions has a
    learned vector for each bin, of which a token has the mean, as patches have one each.

    Args:
        numbers: G of `TokenBatch`.
        width: of a token.
    """
    if numbers == BOX:
        return nn.Sequential(nn.Linear(BOX, width), nn.GELU(), nn.Linear(width, width))
    bins = nn.Linear(numbers, width, bias=False)
    nn.init.normal_(bins.weight, std=width**-0.5)
    return bins


def centres(geometry: Tensor) -> Tensor:
    """The middles of tokens, from their geometry.

    Args:
        geometry: [B, N, G] of `TokenBatch`: boxes, or histograms of square pictures, of which the
            mean of the bins' middles is taken, weighted by what is in them.

    Returns:
        [B, N, 2] x and y, relative to the image (0..1); 0 where there is nothing.
    """
    if geometry.shape[-1] == BOX:
        return geometry[..., :2]
    geometry = positions(geometry)
    side = math.isqrt(geometry.shape[-1])
    middle = (torch.arange(side).to(geometry) + 0.5) / side
    rows_first = geometry.reshape(*geometry.shape[:-1], side, side)
    columns, rows = rows_first.sum(dim=-2), rows_first.sum(dim=-1)
    found = torch.stack([columns @ middle, rows @ middle], dim=-1)
    smallest = torch.finfo(geometry.dtype).tiny
    return found / geometry.sum(dim=-1, keepdim=True).clamp(min=smallest)


def geometry_flops(embedding: nn.Module) -> int:
    """FLOPs of embedding one token's geometry, matrix products alone; a multiply-add is two."""
    matrices: list[Tensor] = [each for each in embedding.parameters() if each.ndim == 2]
    return 2 * sum(each.numel() for each in matrices)
