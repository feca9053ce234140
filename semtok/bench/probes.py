"""What single tokens tell: where they are and what they were made of, by linear probes."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

#: Of ridge regression, relative to the mean variance of the inputs.
_RIDGE = 1e-3

#: Of the tokens that one without a grid is compared to: a patch has as many neighbours.
_NEAREST = 4


@dataclass(frozen=True)
class Probed:
    """What the probes find in one group of tokens, means over them.

    Attributes:
        tokens: how many there are among the images that are asked.
        position_top1: share (0..1) of tokens whose own patch is the likeliest; None where tokens
            are no whole grid of patches.
        position_distance: from the likeliest patch to the own one, in patches; of other tokens,
            from the predicted middle to the true one, in sides of the image.
        pixel_l2: Euclidean distance of the predicted pixels of a patch to the true ones, each
            0..1; of other tokens, of the mean colours or a backbone's features; None where the
            model is shown neither.
        neighbour_cosine: mean cosine of the embedded token, before any block, to its (up to) four
            neighbours, or to the four whose middles are nearest.
    """

    tokens: int
    position_top1: float | None
    position_distance: float
    pixel_l2: float | None
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
    images, patches, _ = output.shape
    half = images // 2
    inputs = _inputs(output)
    places = torch.eye(patches, dtype=torch.float64)
    fitted, asked = inputs[:half].flatten(0, 1), inputs[half:]
    targets = torch.cat([places.repeat(half, 1), pixels[:half].double().flatten(0, 1)], dim=1)
    answers = asked @ _weights(fitted, targets)
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


def probe_placed(
    output: Tensor,
    middles: Tensor,
    shown: Tensor,
    cosines: Tensor,
    outlier: NDArray[np.bool_],
    image: Tensor,
) -> dict[str, Probed | None]:
    """As `probe`, of T tokens in any place.

    Args:
        output: [T, width] of the last block.
        middles: [T, 2], x and y of each token, relative to the image.
        shown: [T, D], what it shows; D may be 0.
        cosines: [T] of `nearest_cosines`.
        outlier: [T], which tokens are.
        image: [T] int64, the number of each token's image, from 0 on.
    """
    fitted = image < (int(image.max()) + 1) // 2
    asked = ~fitted
    if not fitted.any():
        return {"normal": None, "outlier": None}
    inputs, targets = _inputs(output), torch.cat([middles, shown], dim=1).double()
    off = inputs[asked] @ _weights(inputs[fitted], targets[fitted]) - targets[asked]
    distance, shown_off = off[:, :2].norm(dim=-1), off[:, 2:].norm(dim=-1)
    is_outlier = torch.from_numpy(outlier)[asked]
    found: dict[str, Probed | None] = {}
    for name, chosen in (("normal", ~is_outlier), ("outlier", is_outlier)):
        found[name] = (
            Probed(
                tokens=int(chosen.sum()),
                position_top1=None,
                position_distance=float(distance[chosen].mean()),
                pixel_l2=float(shown_off[chosen].mean()) if shown.shape[1] else None,
                neighbour_cosine=float(cosines[asked][chosen].mean()),
            )
            if chosen.any()
            else None
        )
    return found


def _inputs(output: Tensor) -> Tensor:
    """Tokens [..., width] of mean 0 and variance 1, and a 1 behind each."""
    return F.pad(F.layer_norm(output.double(), output.shape[-1:]), (0, 1), value=1.0)


def _weights(fitted: Tensor, targets: Tensor) -> Tensor:
    """Of ridge regression: [I, T], for fitted [N, I] and targets [N, T]."""
    products = fitted.T @ fitted
    mean = products.diagonal().mean()
    products += torch.eye(fitted.shape[1], dtype=torch.float64) * _RIDGE * mean
    found: Tensor = torch.linalg.solve(products, fitted.T @ targets)
    return found


def nearest_cosines(embedded: Tensor, middles: Tensor) -> Tensor:
    """The mean cosine of each of an image's tokens to the (up to) four nearest ones.

    Args:
        embedded: [N, width].
        middles: [N, 2].

    Returns:
        [N]; 0 for an image of one token.
    """
    if len(embedded) <= 1:
        return torch.zeros(len(embedded))
    distances = torch.cdist(middles.double(), middles.double()).fill_diagonal_(torch.inf)
    nearest = distances.argsort(dim=1, stable=True)[:, : min(_NEAREST, len(embedded) - 1)]
    unit = F.normalize(embedded, dim=-1)
    return (unit[:, None] * unit[nearest]).sum(dim=-1).mean(dim=1)


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
