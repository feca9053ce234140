"""A simulated channel: real symbols of unit mean power, additive white Gaussian noise."""

import math

from torch import Tensor


def unit_power(symbols: Tensor, sent: Tensor) -> Tensor:
    """Scale what is sent of each image to a mean square of 1 per symbol.

    Args:
        symbols: [B, N, k].
        sent: [B, N] bool; whoever is not sent has no power, and comes out as 0.

    Returns:
        [B, N, k]; an image of which nothing (or nothing but 0) is sent comes out as 0.
    """
    symbols = symbols * sent[..., None]
    count = (sent.sum(dim=1) * symbols.shape[2]).clamp(min=1)
    power = symbols.square().sum(dim=(1, 2)) / count
    silent = power == 0
    return symbols * power.masked_fill(silent, 1.0).rsqrt()[:, None, None]


def with_noise(symbols: Tensor, noise: Tensor, snr: Tensor) -> Tensor:
    """What arrives of symbols of unit mean power.

    Args:
        symbols: [B, N, k].
        noise: [B, N, k], standard normal.
        snr: [B], signal over noise, in dB.
    """
    return symbols + noise * 10 ** (-snr[:, None, None] / 20)


def capacity(snr: float) -> float:
    """Bits that a real symbol can carry at a signal-to-noise ratio in dB: log2(1 + SNR) / 2."""
    return math.log2(1 + 10 ** (snr / 10)) / 2


def index_bits(patches: int, sent: int) -> int:
    """Bits that name which `sent` of `patches` patches are sent: ceil(log2 C(N, K))."""
    return (math.comb(patches, sent) - 1).bit_length()


def link_bits(patches: int, sent: int, symbols: int, snr: float) -> float:
    """Bits that a link takes for an image: the symbols at capacity, and the index.

    Args:
        patches: N, of the image.
        sent: K of them.
        symbols: k, of a patch.
        snr: in dB.
    """
    return sent * symbols * capacity(snr) + index_bits(patches, sent)
