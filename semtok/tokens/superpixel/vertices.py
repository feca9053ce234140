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
    colours = (_smoothed(_stretched(each * 2 - 1, _COLOUR_GAIN)) for each in _colours(images))
    features = [each.clamp_(-1, 1).float() for each in colours]
    # A channel lies together, as merging reads them.
    return torch.stack([*features, _magnitude(images).float()]).movedim(0, -1)


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of brightness, left to right and top to bottom, small ones stretched.

    Args:
        images: [B, H, W, 3] uint8 RGB.

    Returns:
        Two of [B, H, W] float64, -1..1: Scharr's differences under an inverse hyperbolic sine.
    """
    # Sums of bytes are exact: equal surroundings have equal gradients.
    bright = images.sum(dim=-1, dtype=torch.int32).to(torch.float64)
    padded = F.pad(bright[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    columns = 3 * (padded[:, :-2] + padded[:, 2:]) + 10 * padded[:, 1:-1]
    rows = 3 * (padded[:, :, :-2] + padded[:, :, 2:]) + 10 * padded[:, :, 1:-1]
    across, down = columns[:, :, 2:] - columns[:, :, :-2], rows[:, 2:] - rows[:, :-2]
    return tuple(  # type: ignore[return-value]
        _stretched(each / (16 * 3 * 255), _GRADIENT_GAIN) for each in (across, down)
    )


def _magnitude(images: Tensor) -> Tensor:
    """Of the gradient, [B, H, W] float64, -1..1."""
    steepest = math.sqrt(2) * math.asinh(_GRADIENT_GAIN * _STEEPEST) / math.asinh(_GRADIENT_GAIN)
    across, down = gradients(images)
    return (across.square() + down.square()).sqrt() / steepest * 2 - 1


def _colours(images: Tensor) -> list[Tensor]:
    """Y, Cb and Cr with more contrast and saturation, each [B, H, W] float64, 0..1."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    channels = []
    for number, (mean, shape) in enumerate(_CONTRAST):
        power = -math.log(2) / math.log(1 - mean**shape)
        table = 1 - (1 - levels**shape) ** power
        of_pixels = images[..., number].flatten().int()
        channels.append(table.to(images.device).index_select(0, of_pixels).view(images.shape[:3]))
    grey = _weighted(channels)
    red, green, blue = ((grey + _SATURATION * (each - grey)).clamp(0, 1) for each in channels)
    luma = _weighted([red, green, blue])
    return [luma, (blue - luma) * _BLUE + 0.5, (red - luma) * _RED + 0.5]


def _weighted(channels: list[Tensor]) -> Tensor:
    red, green, blue = (each * weight for each, weight in zip(channels, _LUMA, strict=True))
    return red + green + blue


def _stretched(values: Tensor, gain: float) -> Tensor:
    """Contrast near 0, up to 1 at 1: asinh(gain x) / asinh(gain)."""
    values = values * gain
    # torch.asinh, which computes one value at a time, takes twice as long.
    magnitude = values.square().add_(1).sqrt_().add_(values.abs()).log_()
    return magnitude.copysign_(values).div_(math.asinh(gain))


def _smoothed(values: Tensor) -> Tensor:
    """Anisotropic diffusion of [B, H, W] (Perona and Malik 1990): edges stay, grain goes."""
    values = values.clone()
    for _ in range(_ITERATIONS):
        flows = []
        for axis in (-2, -1):
            apart = values.diff(dim=axis)
            flows.append(apart.square().mul_(-1 / _KAPPA**2).exp_().mul_(apart))
        for axis, flow in zip((-2, -1), flows, strict=True):
            pairs = values.shape[axis] - 1
            values.narrow(axis, 0, pairs).add_(flow, alpha=_GAMMA)
            values.narrow(axis, 1, pairs).sub_(flow, alpha=_GAMMA)
    return values
