"""Budgets in training: what each image may keep, and what it costs to keep more."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.params import GateCount


def draw(
    image_ids: NDArray[np.int64], seed: int, step: int, budgets: tuple[float, float]
) -> Tensor:
    """A budget for each image, uniform between two, by the seed, the step and the image alone.

    Args:
        image_ids: [B].
        seed: of the training.
        step: counted from 0.
        budgets: the least and the most.

    Returns:
        [B] float32.
    """
    low, high = budgets
    parts = [_uniform(f"budget {seed} {step} {each}") for each in image_ids]
    return torch.tensor([low + (high - low) * part for part in parts])


def budget_loss(weights: Tensor, gated: Tensor, budget: Tensor, count: GateCount) -> Tensor:
    """What is kept beyond the budget: the mean of ReLU(k - a)^2 (2 - a) over images.

    Keeping less than the budget a costs nothing. k is the mean weight of an image's tokens
    (arXiv 2405.02330, released code), which they can lower and stay; or the share of tokens left,
    with the gradient of the mean weight in the place of its own, which is 0.

    Args:
        weights: [B, N], of the gates before one block, 0 for dropped tokens.
        gated: [B, N] bool, the tokens that gates may drop.
        budget: [B], 0..1.
        count: what k is.

    Returns:
        0-d.
    """
    if count == "tokens":
        weights = weights + ((weights > 0).to(weights.dtype) - weights).detach()
    kept = (weights * gated).sum(dim=1) / gated.sum(dim=1).clamp(min=1)
    return ((kept - budget).relu().square() * (2 - budget)).mean()


def _uniform(key: str) -> float:
    """A number in 0..1 that looks random."""
    content = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(content, "little") / 2**64
