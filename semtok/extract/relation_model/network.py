"""The relation model's network: what two masks have to do with one another.

In the manner of Relate-Anything (github.com/Luodian/RelateAnything): subject, object and union. It
sees the pixels of both masks' common box with the two masks as further channels, and where and
how large they are; no category.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semtok.extract.convolutions import Residual, convolution

#: Red, green, blue, the subject's mask, the object's mask.
CHANNELS = 5

#: Numbers that say where two masks are (`pairs.geometry`).
GEOMETRY = 14

#: Most pairs have no given relation: start by expecting few.
_RARE = -4.0


class Network(nn.Module):
    """Pairs of masks -> predicates."""

    def __init__(self, width: int, predicates: int) -> None:
        """Build it.

        Args:
            width: channels at half the crop's size; they double where the size halves.
            predicates: how many there are to tell apart.
        """
        super().__init__()
        widths = [CHANNELS, width, 2 * width, 4 * width]
        self.look = nn.Sequential(
            *(
                layer
                for before, after in itertools.pairwise(widths)
                for layer in (convolution(before, after, stride=2), Residual(after))
            )
        )
        self.join = nn.Linear(2 * widths[-1] + GEOMETRY, widths[-1])
        self.predicates = nn.Linear(widths[-1], predicates)
        nn.init.constant_(self.predicates.bias, _RARE)

    def forward(self, crops: Tensor, geometry: Tensor) -> Tensor:
        """Judge some pairs.

        Args:
            crops: [N, 5, S, S] float32, 0 to 1.
            geometry: [N, 14] float32.

        Returns:
            [N, P] logits; predicates do not exclude one another.
        """
        seen = self.look((crops - 0.5) * 4)
        pooled = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3)), geometry], dim=1)
        found: Tensor = self.predicates(F.relu(self.join(pooled)))
        return found
