"""The one structure that models see, whatever the tokenizer was."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

#: Kinds of token, as stored in `TokenBatch.kind`.
PATCH, SUPERPIXEL, TANGIBLE, INTANGIBLE = range(4)


@dataclass(frozen=True)
class TokenBatch:
    """The token sets of B images, padded to N tokens, E edges and K neighbours.

    Patches or tangible tokens come first, so that a region's index in the token shard is its
    tangible token's position, and patches lie in reading order; the image's intangible tokens
    follow, one per relation and in the order of relations. Whatever lies behind an image's own
    tokens is padding: `valid` is False there, all other fields are 0 or -1.

    Attributes:
        features: [B, N, D] uint8. A patch: its pixels, p x p x RGB or p x p x (RGB, mask map). A
            tangible token or a superpixel: the masked box, k x k x (RGB times coverage, coverage).
            An intangible token: 0. Or float16, what a frozen backbone says of a tangible token.
        geometry: [B, N, G] float32. A superpixel: the histogram of its pixels' positions, G = 256
            (0..4; `superpixel.regions`), or that and behind it the one of their gradients, G = 512;
            `positions` is the first alone. All others: G = 5, centre x, centre y, width, height,
            area, all relative to the image (0..1). A tangible token's area is its mask's; an
            intangible token holds the union of its ends' boxes and that union's area.
        kind: [B, N] int64, one of PATCH, SUPERPIXEL, TANGIBLE, INTANGIBLE.
        valid: [B, N] bool, False for padding.
        edges: [B, E, 4] int64, position of the subject's token, of the object's token, predicate id
            (0 = unknown, i = the i-th predicate of the vocabulary), position of the relation's own
            intangible token. -1: no such end. Several edges may join one pair, and a relation
            whose ends are several patches has several edges. Padding rows are all -1.
        neighbours: [B, N, K] int64, positions of the K nearest tangible tokens, -1 = none.
        foreground: [B, N] bool, False for padding and for patches that no mask covers; None where
            the tokenizer does not tell which those are.
    """

    features: Tensor
    geometry: Tensor
    kind: Tensor
    valid: Tensor
    edges: Tensor
    neighbours: Tensor
    foreground: Tensor | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.features)

    def to(self, device: torch.device | str) -> "TokenBatch":
        """The same batch on another device."""
        told = {name: each for name, each in vars(self).items() if each is not None}
        return replace(self, **{name: each.to(device) for name, each in told.items()})

    def part(self, rows: Tensor) -> "TokenBatch":
        """Some images alone, [images] int64, with no more padding than these need."""
        told = {name: each[rows] for name, each in vars(self).items() if each is not None}
        tokens = int(told["valid"].sum(1).max())
        edges = int((told["edges"] >= 0).any(-1).sum(1).max()) if told["edges"].numel() else 0
        lengths = {name: edges if name == "edges" else tokens for name in told}
        return replace(self, **{name: each[:, : lengths[name]] for name, each in told.items()})


def positions(geometry: Tensor) -> Tensor:
    """Where tokens are, without what their gradients are.

    Args:
        geometry: [..., G] of `TokenBatch`, histograms: n x n bins, or twice as many.

    Returns:
        [..., n*n], a view.
    """
    bins = geometry.shape[-1]
    # Twice a square is never a square: the root of 2 is no fraction.
    return geometry if math.isqrt(bins) ** 2 == bins else geometry[..., : bins // 2]
