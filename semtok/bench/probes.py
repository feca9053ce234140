"""What single patch tokens tell: where they are and what their patch shows, by linear probes."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

#: Of ridge regression, relative to the mean variance of the inputs.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Probed:
    """What the probes find in one group of tokens, means over them.

    Attributes:
        tokens: how many there are among the images that are asked.
        position_top1: share (0..1) of tokens whose own patch is the likeliest.
        position_distance: from the likeliest patch to the own one, in patches.
        pixel_l2: Euclidean distance of the predicted pixels of a patch to the true ones, each
            0..1.
        neighbour_cosine: mean cosine of the embedded patch, before any block, to its (up to) four
            neighbours.
    """

    tokens: int
    position_top1: float
    position_distance: float
    pixel_l2: float
    neighbour_cosine: float


def probe(
    output: Tensor, pixels: Tensor, cosines: Tensor, outlier: NDArray[np.bool_], columns: int
) -> dict[str, Probed | None]:
    """Fit linear probes on the first half of the images, and ask them about the other half.

    Both are ridge regressions in closed form, of the position as one of P answers and of the
    pixels; each token is first brought to mean 0 and variance 1, as a norm in front of a head
    would. All tokens of the first half are fitted, normal and outlier alike.

    Args:
        output: [I, P, width] of the last block.
        pixels: [I, P, D] of the patches, 0..1.
        cosines: [I, P] of `neighbour_cosines`.
        outlier: [I, P], which tokens are.
        columns: patches in a row.

    Returns:
        "normal" and "outlier"; None where the asked half has no such token.
    """
    images, patches, width = output.shape
    half = images // 2
    inputs = F.layer_norm(output.double(), (width,))
    inputs = F.pad(inputs, (0, 1), value=1.0)
    places = torch.eye(patches, dtype=torch.float64)
    fitted, asked = inputs[:half].flatten(0, 1), inputs[half:]
    targets = torch.cat([places.repeat(half, 1), pixels[:half].double().flatten(0, 1)], dim=1)
    products = fitted.T @ fitted
    products += torch.eye(width + 1, dtype=torch.float64) * _RIDGE * products.diagonal().mean()
    answers = asked @ torch.linalg.solve(products, fitted.T @ targets)
    likeliest = answers[..., :patches].argmax(dim=-1)
    own = torch.arange(patches).expand_as(likeliest)
    away = torch.stack([own // columns - likeliest // columns, own % columns - likeliest % columns])
    distance = away.double().norm(dim=0)
    pixel_l2 = (answers[..., patches:] - pixels[half:].double()).norm(dim=-1)
    is_outlier = torch.from_numpy(outlier[half:])
    found: dict[str, Probed | None] = {}
    for name, chosen in (("normal", ~is_outlier), ("outlier", is_outlier)):
        found[name] = (
            Probed(
                tokens=int(chosen.sum()),
                position_top1=float((likeliest == own)[chosen].double().mean()),
                position_distance=float(distance[chosen].mean()),
                pixel_l2=float(pixel_l2[chosen].mean()),
                neighbour_cosine=float(cosines[half:][chosen].mean()),
            )
            if chosen.any()
            else None
        )
    return found


def neighbour_cosines(embedded: Tensor, rows: int, columns: int) -> Tensor:
    """The mean cosine of each patch to those above, below and beside it.

    Args:
        embedded: [I, P, width], P = rows x columns.
        rows, columns: of patches.

    Returns:
        [I, P]; 0 for an image of one patch.
    """
    grid = F.normalize(embedded, dim=-1).view(len(embedded), rows, columns, -1)
    total, count = torch.zeros(grid.shape[:3]), torch.zeros(rows, columns)
    for one, other in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        cosines = (grid[:, *one] * grid[:, *other]).sum(dim=-1)
        for side in (one, other):
            total[:, *side] += cosines
            count[*side] += 1
    return (total / count.clamp(min=1)).flatten(1)
