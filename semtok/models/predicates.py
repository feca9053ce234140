"""Predicates by their names: what a frozen text tower says of each, brought to a token's width."""

import torch
from torch import Tensor, nn


class NamedPredicates(nn.Module):
    """A table of predicates that grows with every new name, and learns one projection for all.

    A predicate that no training image had so gets a vector as meaningful as any: arXiv 2405.16401
    embeds the names of predicates by the text encoder of CLIP.

    Attributes:
        names: those with a row; predicate id i is `names[i - 1]`.
        vectors: [names + 1, dimension], unit length; row 0, of no name, is 0. Not part of the
            state: whoever has the text tower and the names has them (`Checkpoint.vocabulary`).
    """

    vectors: Tensor

    def __init__(self, dimension: int, width: int) -> None:
        """Start without a name.

        Args:
            dimension: of the text tower's vectors.
            width: of a token.
        """
        super().__init__()
        self.names: list[str] = []
        self.register_buffer("vectors", torch.zeros(1, dimension), persistent=False)
        self.projection = nn.Linear(dimension, width)
        # Of unit vectors this makes what a learned table starts with.
        nn.init.normal_(self.projection.weight, std=width**-0.5)
        nn.init.zeros_(self.projection.bias)

    def forward(self) -> Tensor:
        """The table [names + 1, width] by predicate id."""
        return self.projection(self.vectors)  # type: ignore[no-any-return]

    def add(self, name: str, vector: Tensor) -> None:
        """Give a new name the next id.

        Args:
            name: of a predicate.
            vector: [dimension], unit length, by the text tower.
        """
        self.names.append(name)
        self.vectors = torch.cat([self.vectors, vector.detach().to(self.vectors)[None]])
