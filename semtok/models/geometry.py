"""Where tokens are, as vectors."""

from torch import Tensor, nn

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


def geometry_flops(embedding: nn.Module) -> int:
    """FLOPs of embedding one token's geometry, matrix products alone; a multiply-add is two."""
    matrices: list[Tensor] = [each for each in embedding.parameters() if each.ndim == 2]
    return 2 * sum(each.numel() for each in matrices)
