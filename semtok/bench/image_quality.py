"""How near a picture comes to another: mean square error, PSNR, SSIM."""

import torch
import torch.nn.functional as F
from torch import Tensor

_PEAK = 255.0

#: Of SSIM (Wang et al. 2004): side of the window in pixels, and two numbers that keep it steady.
_WINDOW, _K1, _K2 = 7, 0.01, 0.03


def mean_square_error(one: Tensor, other: Tensor) -> Tensor:
    """The mean square error of each of B pictures [B, H, W, C], in square grey levels: [B]."""
    return (one.double() - other.double()).square().flatten(1).mean(dim=1)


def psnr(error: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of mean square errors of any shape, in dB; infinite of 0."""
    return 10 * (_PEAK**2 / error).log10()


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity, by a uniform window of 7 x 7 pixels and sample covariances.

    Args:
        one: [B, H, W, C], 0..255; H and W are 7 at least.
        other: likewise.

    Returns:
        [B], at most 1: the mean over channels and over windows that lie within the picture.
    """
    x, y = (each.double().permute(0, 3, 1, 2) for each in (one, other))
    count = _WINDOW**2
    sample = count / (count - 1)

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, _WINDOW, stride=1)

    mean_x, mean_y = mean(x), mean(y)
    variance_x = sample * (mean(x * x) - mean_x**2)
    variance_y = sample * (mean(y * y) - mean_y**2)
    covariance = sample * (mean(x * y) - mean_x * mean_y)
    c1, c2 = (_K1 * _PEAK) ** 2, (_K2 * _PEAK) ** 2
    similar = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similar = similar / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
    return torch.as_tensor(similar.flatten(1).mean(dim=1))
