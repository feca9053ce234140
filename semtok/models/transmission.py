"""Patches through a channel: what arXiv 2405.01521 describes, as reconstructed here.

Each patch that is sent becomes a few channel symbols. The receiver knows which patches it has got,
puts a learned token where it got none, and draws the whole picture.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from semtok.models.channel import unit_power, with_noise
from semtok.models.transformer import blocks

#: Which patches are sent: those that [CLS] pays most attention to, random ones, or evenly spread.
Choice = Literal["attention", "random", "uniform"]
CHOICES: tuple[Choice, ...] = ("attention", "random", "uniform")

_HEADS, _MLP_RATIO = 4, 4.0


@dataclass(frozen=True)
class LinkConfig:
    """The shape of sender and receiver.

    Attributes:
        patches: N, of an image.
        feature_dim: D, bytes of a patch.
        symbols: k, of a patch.
        width: of a token of the receiver.
        depth: its blocks.
    """

    patches: int
    feature_dim: int
    symbols: int = 48
    width: int = 128
    depth: int = 2


class Link(nn.Module):
    """Sender, channel and receiver."""

    def __init__(self, config: LinkConfig) -> None:
        """Create the link, with random weights."""
        super().__init__()
        width = config.width
        self.sender = nn.Sequential(
            nn.Linear(config.feature_dim, width), nn.GELU(), nn.Linear(width, config.symbols)
        )
        self.received = nn.Linear(config.symbols, width)
        self.missing = nn.Parameter(torch.randn(width) * width**-0.5)
        self.position = nn.Parameter(torch.randn(config.patches, width) * width**-0.5)
        self.blocks = blocks(config.depth, width, _HEADS, _MLP_RATIO)
        self.norm = nn.LayerNorm(width)
        self.pixels = nn.Linear(width, config.feature_dim)
        self.config = config

    def forward(self, patches: Tensor, sent: Tensor, noise: Tensor, snr: Tensor) -> Tensor:
        """Send B images and draw what arrived.

        Args:
            patches: [B, N, D] uint8.
            sent: [B, N] bool.
            noise: [B, N, k], standard normal.
            snr: [B], in dB.

        Returns:
            [B, N, D], pixels as bytes are, but real: about 0..255, not clipped.
        """
        symbols = self.sender(patches.to(self.position.dtype) / 127.5 - 1)
        arrived = self.received(with_noise(unit_power(symbols, sent), noise, snr))
        x = torch.where(sent[..., None], arrived, self.missing) + self.position
        for block in self.blocks:
            x = block(x)
        return (self.pixels(self.norm(x)) + 1) * 127.5  # type: ignore[no-any-return]


def choose(choice: Choice, count: int, attention: Tensor, random: Tensor) -> Tensor:
    """Choose patches to be sent.

    Args:
        choice: by what.
        count: K, how many of each image.
        attention: [B, N], that [CLS] pays to each patch.
        random: [B, N], any numbers: the largest are chosen at random.

    Returns:
        [B, N] bool, K of each image; of equals the first. Uniform ones lie N/K apart in reading
        order, the same for all images.
    """
    images, patches = attention.shape
    sent = torch.zeros(images, patches, dtype=torch.bool, device=attention.device)
    if choice == "uniform":
        sent[:, (2 * torch.arange(count) + 1) * patches // (2 * count)] = True
        return sent
    merit = attention if choice == "attention" else random
    return sent.scatter(
        1, merit.argsort(dim=1, descending=True, stable=True)[:, :count], value=True
    )


def attention_weighted_error(drawn: Tensor, patches: Tensor, attention: Tensor) -> Tensor:
    """The mean square error of pixels, each patch weighted by its share of attention.

    Args:
        drawn: [B, N, D], of `Link.forward`.
        patches: [B, N, D] uint8.
        attention: [B, N], not negative; of each image not all 0.

    Returns:
        0-d, of pixels from -1 to 1.
    """
    error = ((drawn - patches) / 127.5).square().mean(dim=2)
    return ((attention * error).sum(dim=1) / attention.sum(dim=1)).mean()
