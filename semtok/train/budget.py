"""Budgets in training: what each image may keep, and what it costs to keep more."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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


def budget_loss(weights: Tensor, gated: Tensor, budget: Tensor) -> Tensor:
    """What is kept beyond the budget: the mean of ReLU(k - a)^2 (2 - a) over images.

    k is the mean weight of an image's tokens and a its budget; keeping less costs nothing
    (arXiv 2405.02330, released code).

    Args:
        weights: [B, N], of the gates before one block, 0 for dropped tokens.
        gated: [B, N] bool, the tokens that gates may drop.
        budget: [B], 0..1.

    Returns:
        0-d.
    """
    kept = (weights * gated).sum(dim=1) / gated.sum(dim=1).clamp(min=1)
    return ((kept - budget).relu().square() * (2 - budget)).mean()


def _uniform(key: str) -> float:
    """A number in 0..1 that looks random."""
    content = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(content, "little") / 2**64
