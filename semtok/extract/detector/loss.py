"""What the detector is trained to make small."""

import torch
from torch import Tensor
from torch.nn import functional as F

from semtok.extract.detector.network import Features, draw
from semtok.extract.detector.samples import Sample

#: Focal loss (arXiv 1708.02002).
_BALANCE, _FOCUS = 0.25, 2.0

#: Weights of the two parts, CondInst's order of magnitude.
_FIND, _DRAW = 1.0, 2.0


def loss(features: Features, sample: Sample, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """How far a pass is from what it should find.

    Args:
        features: of the sample's images.
        sample: the images and their masks.
        drawn: [K] int64, the places among the sample's cells whose masks are drawn.

    Returns:
        The loss of finding middles (focal) and of drawing masks (Dice, arXiv 1606.04797), weighted.
    """
    find = _focal(features.middles, sample.middles) / max(1, len(sample.owner))
    if not len(drawn):
        return _FIND * find, 0 * features.shared.sum()
    logits = draw(features, sample.image[drawn], sample.row[drawn], sample.column[drawn])
    return _FIND * find, _DRAW * _dice(logits, sample.masks[sample.owner[drawn]])


def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
    right = torch.where(wanted > 0, logits, -logits)
    balance = torch.where(wanted > 0, _BALANCE, 1 - _BALANCE)
    return -(balance * torch.sigmoid(-right) ** _FOCUS * F.logsigmoid(right)).sum()


def _dice(logits: Tensor, wanted: Tensor) -> Tensor:
    found, wanted = logits.sigmoid().flatten(1), wanted.flatten(1)
    shared = (found * wanted).sum(dim=1)
    both = (found**2).sum(dim=1) + (wanted**2).sum(dim=1)
    return 1 - (2 * shared / (both + 1e-3)).mean()
