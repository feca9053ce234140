"""Fewer tokens in training: some of each image's, drawn at random (SPiT, arXiv 2408.07680)."""

from dataclasses import replace

import numpy as np
import torch

from semtok.tokens.batch import TokenBatch


def drop(batch: TokenBatch, most: int, seed: int, step: int) -> TokenBatch:
    """Keep at most so many tokens of each image, in their order.

    Args:
        batch: token sets without edges and neighbours, on the CPU.
        most: tokens that an image keeps; one that has fewer keeps all.
        seed, step: of the draw.
    """
    images, tokens = batch.valid.shape
    if tokens <= most:
        return batch
    drawn = torch.from_numpy(np.random.default_rng([seed, step]).random((images, tokens)))
    # Padding, which lies behind, is kept last and stays there.
    order = drawn.masked_fill(~batch.valid, torch.inf).argsort(dim=1, stable=True)
    kept = order[:, :most].sort(dim=1).values
    row = torch.arange(images)[:, None]
    return replace(
        batch,
        features=batch.features[row, kept],
        geometry=batch.geometry[row, kept],
        kind=batch.kind[row, kept],
        valid=batch.valid[row, kept],
        neighbours=batch.neighbours[:, :most],
    )
