"""A trained network's masks of some images."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from semtok.extract.detector.network import MASK_PIXEL, Network, draw

#: Cells of one image whose masks are drawn: more than twice the masks that an image has.
_CANDIDATES = 64

#: Two masks that share this much (IoU) are one, found twice.
_SAME = 0.5

#: Candidates below this are never worth drawing.
_FAINT = 0.05


class Seen(NamedTuple):
    """A mask of one image: its score, 0 to 1, and its pixels, [S, S] bool."""

    score: float
    pixels: Tensor


@torch.inference_mode()
def find(network: Network, pixels: Tensor) -> list[list[Seen]]:
    """Find the masks of some images.

    Args:
        network: in evaluation mode.
        pixels: [B, 3, S, S] float32, 0 to 1.

    Returns:
        For each image its masks, the best first. The score is how sure the network is of a
        mask's middle times how sure it is of its pixels (SOLOv2's, arXiv 2003.10152).
    """
    features = network(pixels)
    chances = features.middles.sigmoid()
    # A middle covers several cells; the surest of its neighbourhood speaks for them.
    peaks = F.max_pool2d(chances[:, None], 3, stride=1, padding=1)[:, 0] == chances
    chances = torch.where(peaks, chances, torch.zeros_like(chances))
    found = []
    for number in range(len(pixels)):
        chance, at = chances[number].flatten().topk(min(_CANDIDATES, chances[number].numel()))
        chance, at = chance[chance >= _FAINT], at[chance >= _FAINT]
        row, column = at // chances.shape[2], at % chances.shape[2]
        logits = draw(features, torch.full_like(at, number), row, column)
        found.append(_distinct(chance, logits))
    return found


def _distinct(chance: Tensor, logits: Tensor) -> list[Seen]:
    """Score masks, drop what repeats a better one, and bring the rest to full size."""
    likely = logits.sigmoid()
    inside = logits > 0
    pixels = inside.flatten(1).sum(dim=1)
    score = chance * (likely * inside).flatten(1).sum(dim=1) / pixels.clamp(min=1)
    order = score.sort(descending=True, stable=True).indices
    order = order[pixels[order] > 0]
    flat = inside[order].flatten(1).float()
    shared = flat @ flat.T
    area = flat.sum(dim=1)
    overlap = shared / (area[:, None] + area[None] - shared)
    kept: list[int] = []
    for place in range(len(order)):
        if all(overlap[place, other] < _SAME for other in kept):
            kept.append(place)
    chosen = order[kept]
    whole = F.interpolate(logits[chosen][:, None], scale_factor=float(MASK_PIXEL), mode="bilinear")[
        :, 0
    ]
    return [Seen(float(score[at]), mask > 0) for at, mask in zip(chosen, whole, strict=True)]
