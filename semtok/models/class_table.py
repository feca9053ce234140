"""The text side of a classifier: a vector for each class, which its name stands for."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ClassText:
    """A table of class vectors.

    Attributes:
        classes: how many there are.
    """

    classes: int


class ClassTable(nn.Module):
    """Names of classes -> one learned vector each.

    With the softmax over `scale * image @ vectors.T` this is the cosine classifier of Gidaris and
    Komodakis (2018, arXiv 1804.09458).
    """

    def __init__(self, config: ClassText, embedding: int) -> None:
        """Create the table for a joint space of dimension `embedding`."""
        super().__init__()
        self.table = nn.Parameter(torch.empty(config.classes, embedding))
        nn.init.normal_(self.table, std=embedding**-0.5)
        self.config = config

    @property
    def vectors(self) -> Tensor:
        """All classes: [C, embedding], unit length."""
        return F.normalize(self.table, dim=-1)

    def forward(self, ids: Tensor) -> Tensor:
        """Look names up.

        Args:
            ids: [B, 1] int64 of `TextTokenizer.encode`, 0..C-1.

        Returns:
            [B, embedding], unit length.
        """
        return self.vectors[ids[:, 0]]
