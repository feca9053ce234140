"""Heads that predict masks and relations from patch tokens: the same labels, but as a task.

What `semantic` gets as input, a patch model gets here in its loss. The heads read the tokens that
[CLS] reads in the last block, and are no part of the image-text model: it is used without them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semtok.params import Auxiliary


class MaskHead(nn.Module):
    """Which patches share a mask.

    The score of patches i and j is z_i . z_j / sqrt(width) + b for z = W norm(x).
    """

    def __init__(self, width: int) -> None:
        """Create the head for tokens of a width."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, patches: Tensor) -> Tensor:
        """Score all pairs of patches.

        Args:
            patches: [B, P, width].

        Returns:
            [B, P, P] logits, symmetric.
        """
        z = self.projection(self.norm(patches))
        return z @ z.transpose(1, 2) * z.shape[-1] ** -0.5 + self.bias  # type: ignore[no-any-return]


class RelationHead(nn.Module):
    """The predicate between two regions, each the mean of its patches."""

    def __init__(self, width: int, predicates: int) -> None:
        """Create the head for tokens of a width, and for predicate ids below `predicates`."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, predicates)
        )

    def forward(self, patches: Tensor, regions: Tensor, relations: Tensor) -> Tensor:
        """Score the predicates of relations.

        Args:
            patches: [B, P, width].
            regions: [B, R, P] bool, the patches of each region; none for padding.
            relations: [T, 3] int64, image, region of the subject, region of the object.

        Returns:
            [T, predicates] logits.
        """
        share = regions / regions.sum(dim=-1, keepdim=True).clamp(min=1)
        means = share.to(patches.dtype) @ self.norm(patches)
        image, subject, target = relations.T
        ends = torch.cat([means[image, subject], means[image, target]], dim=-1)
        return self.mlp(ends)  # type: ignore[no-any-return]


def auxiliary_heads(wanted: Sequence[Auxiliary], width: int, predicates: int) -> nn.ModuleDict:
    """Create the heads of a variant, with torch's own initial weights.

    Args:
        wanted: what they predict.
        width: of a token.
        predicates: how many predicate ids there are, that of unknown ones included.
    """
    heads: dict[str, nn.Module] = {}
    if "masks" in wanted:
        heads["masks"] = MaskHead(width)
    if "relations" in wanted:
        heads["relations"] = RelationHead(width, predicates)
    return nn.ModuleDict(heads)
