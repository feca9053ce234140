"""Registers: learned tokens that take what a model would else store in patches (arXiv 2309.16588).

They stand between [CLS] and the image's tokens, have no place in the image, attend and are attended
to like all others, and are dropped at the output.
"""

import torch
from torch import nn

#: Of the first weights, as in DINOv2's released code.
_STD = 1e-6


def registers(count: int, width: int) -> nn.Parameter:
    """Draw registers, [count, width], and leave torch's random numbers as they were.

    So a variant with registers starts, with the same seed, as the one without them: whatever is
    drawn before and after is the same.
    """
    with torch.random.fork_rng(devices=()):
        return nn.Parameter(torch.randn(count, width) * _STD)
