"""Tokens on their way through the blocks of an encoder, of which fewer and fewer are left.

A dropped token is either masked, so that nobody attends to it, or removed: both give the same.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Kept:
    """What is left of a batch of sequences of S tokens, [CLS] first.

    Attributes:
        x: [B, M, width].
        place: [B, M] int64, where each token stood in the whole sequence.
        weight: [B, M], what the last gate gave each token, 0..1 (1 where there are no gates); 0
            for what was dropped, or was padding, and is still there.
        length: S.
    """

    x: Tensor
    place: Tensor
    weight: Tensor
    length: int

    @classmethod
    def start(cls, x: Tensor, valid: Tensor) -> "Kept":
        """Begin with whole sequences.

        Args:
            x: [B, S, width].
            valid: [B, S] bool, False for padding.
        """
        place = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
        return cls(x, place, valid.to(x.dtype), x.shape[1])

    @property
    def left(self) -> Tensor:
        """[B, M] bool, False for what was dropped and is still there."""
        return self.weight > 0

    def keys(self, bias: Tensor | None) -> Tensor | None:
        """The bias of attention among these tokens: minus infinity for dropped keys.

        Args:
            bias: of the whole sequences, broadcasts to [B, heads, S, S]; None: 0.

        Returns:
            Broadcasts to [B, heads, M, M]; None where it is 0 everywhere.
        """
        dropped = None
        if not bool(self.left.all()):
            dropped = torch.zeros_like(self.weight).masked_fill_(~self.left, float("-inf"))
            dropped = dropped[:, None, None]
        if bias is None:
            return dropped
        bias = bias.expand(len(self.x), -1, -1, -1)
        if bias.shape[2] > 1:
            rows = self.place[:, None, :, None].expand(-1, bias.shape[1], -1, bias.shape[3])
            bias = bias.gather(2, rows)
        bias = bias.gather(3, self.place[:, None, None].expand(-1, *bias.shape[1:3], -1))
        return bias if dropped is None else bias + dropped

    def weighed(self, weight: Tensor) -> "Kept":
        """Weigh tokens [B, M] anew; what was dropped before stays so, and 0 drops."""
        return replace(self, weight=weight.masked_fill(~self.left, 0.0))

    def removed(self) -> "Kept":
        """Remove what was dropped, down to the longest sequence left in the batch; order stays."""
        longest = int(self.left.sum(dim=1).max())
        if longest == self.left.shape[1]:
            return self
        order = (~self.left).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]
        return replace(
            self,
            x=self.x.gather(1, order[..., None].expand(-1, -1, self.x.shape[2])),
            place=self.place.gather(1, order),
            weight=self.weight.gather(1, order),
        )

    def spread(self) -> Tensor:
        """The weights in the whole sequences: [B, S], 0 for dropped tokens."""
        whole = self.weight.new_zeros(len(self.weight), self.length)
        return whole.scatter(1, self.place, self.weight)


def add_noise(x: Tensor, noise: Tensor, snr: float) -> Tensor:
    """Send vectors through a channel with additive white Gaussian noise.

    Args:
        x: [..., width], what is sent; the power of a vector is its mean square.
        noise: [..., width], standard normal.
        snr: ratio of each vector's power to that of its noise, in dB.

    Returns:
        [..., width], what arrives.
    """
    power = x.square().mean(dim=-1, keepdim=True)
    return x + noise * (power * 10 ** (-snr / 10)).sqrt()
