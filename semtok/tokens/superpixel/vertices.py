"""What pixels are compared by when they merge: colour, smoothed, and the gradient's magnitude.

The vertex features of SPiT (arXiv 2408.07680) with the constants of its code. All is computed in
float64 and rounded to float32 at the end, so that how an exponential is rounded, which differs
between machines and between the middle and the end of a vector, decides nothing.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: Kumaraswamy contrast of red, green and blue: the channel's mean, which becomes 1/2, and a shape.
_CONTRAST = ((0.485, 0.539), (0.456, 0.507), (0.406, 0.404))
_SATURATION = 2.718
_LUMA = (0.299, 0.587, 0.114)
_BLUE, _RED = 0.564, 0.713  # of the differences from luma
_COLOUR_GAIN, _GRADIENT_GAIN = 10.0, 27.8
#: Perona-Malik: iterations, contrast below which differences are smoothed away, step.
_ITERATIONS, _KAPPA, _GAMMA = 4, 0.1, 0.5
#: The largest Scharr difference of an image in 0..1, of one axis, by 3 + 10 + 3 sixteenths.
_STEEPEST = 13 / 16


def pixel_features(images: Tensor) -> Tensor:
    """Colours and gradient magnitudes of pixels.

    Args:
        images: [B, H, W, 3] uint8 RGB.

    Returns:
        [B, H, W, 4] float32: Y, Cb and Cr with more contrast and saturation, smoothed where they
        differ little (each -1..1), and the magnitude of the gradient (-1 where there is none).
    """
    steepest = math.sqrt(2) * math.asinh(_GRADIENT_GAIN * _STEEPEST) / math.asinh(_GRADIENT_GAIN)
    across, down = gradients(images)
    magnitude = (across.square() + down.square()).sqrt() / steepest * 2 - 1
    return torch.stack([*_colours(images), magnitude], dim=-1).float()


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of brightness, left to right and top to bottom, small ones stretched.

    Args:
        images: [B, H, W, 3] uint8 RGB.

    Returns:
        Two of [B, H, W] float64, -1..1: Scharr's differences under an inverse hyperbolic sine.
    """
    # Sums of bytes are exact: equal surroundings have equal gradients.
    bright = images.to(torch.float64).sum(dim=-1)
    padded = F.pad(bright[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    columns = 3 * padded[:, :-2] + 10 * padded[:, 1:-1] + 3 * padded[:, 2:]
    rows = 3 * padded[:, :, :-2] + 10 * padded[:, :, 1:-1] + 3 * padded[:, :, 2:]
    across, down = columns[:, :, 2:] - columns[:, :, :-2], rows[:, 2:] - rows[:, :-2]
    return tuple(  # type: ignore[return-value]
        _stretched(each / (16 * 3 * 255), _GRADIENT_GAIN) for each in (across, down)
    )


def _colours(images: Tensor) -> list[Tensor]:
    """Y, Cb and Cr, each [B, H, W] float64, -1..1."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    channels = []
    for number, (mean, shape) in enumerate(_CONTRAST):
        power = -math.log(2) / math.log(1 - mean**shape)
        table = 1 - (1 - levels**shape) ** power
        channels.append(table.to(images.device)[images[..., number].long()])
    grey = _weighted(channels)
    red, green, blue = ((grey + _SATURATION * (each - grey)).clamp(0, 1) for each in channels)
    luma = _weighted([red, green, blue])
    chroma = [(blue - luma) * _BLUE + 0.5, (red - luma) * _RED + 0.5]
    return [
        _smoothed(_stretched(each * 2 - 1, _COLOUR_GAIN)).clamp(-1, 1) for each in (luma, *chroma)
    ]


def _weighted(channels: list[Tensor]) -> Tensor:
    red, green, blue = (each * weight for each, weight in zip(channels, _LUMA, strict=True))
    return red + green + blue


def _stretched(values: Tensor, gain: float) -> Tensor:
    """Contrast near 0, up to 1 at 1: asinh(gain x) / asinh(gain)."""
    return torch.asinh(values * gain) / math.asinh(gain)


def _smoothed(values: Tensor) -> Tensor:
    """Anisotropic diffusion of [B, H, W] (Perona and Malik 1990): edges stay, grain goes."""
    for _ in range(_ITERATIONS):
        flows = []
        for axis in (-2, -1):
            apart = values.diff(dim=axis)
            flow = (apart / _KAPPA).square_().neg_().exp_().mul_(apart)
            edge = torch.zeros_like(values.narrow(axis, 0, 1))
            flows.append(torch.cat([edge, flow, edge], dim=axis).diff(dim=axis))
        values = values + _GAMMA * (flows[0] + flows[1])
    return values
