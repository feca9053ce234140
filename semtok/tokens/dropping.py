"""Fewer tokens in training: some of each image's, drawn at random (SPiT, arXiv 2408.07680)."""

import hashlib
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from semtok.tokens.batch import TokenBatch


def drop(
    batch: TokenBatch, image_ids: NDArray[np.int64], most: int, seed: int, step: int
) -> TokenBatch:
    """Keep at most so many tokens of each image, by the seed, the step and the image alone.

    What is kept stays in its order.

    Args:
        batch: B token sets without edges and neighbours, on the CPU.
        image_ids: [B], whose they are.
        most: tokens that an image keeps; one that has fewer keeps all.
        seed: of the training.
        step: counted from 0.
    """
    images, tokens = batch.valid.shape
    if tokens <= most:
        return batch
    # Padding, which lies behind, is kept last and stays there.
    drawn = np.full((images, tokens), np.inf)
    counts = batch.valid.sum(dim=1).tolist()
    for own, image_id, count in zip(drawn, image_ids, counts, strict=True):
        own[:count] = _stream(seed, step, image_id).random(count)
    order = torch.from_numpy(drawn).argsort(dim=1, stable=True)
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


def _stream(seed: int, step: int, image_id: int) -> np.random.Generator:
    """Random numbers of an image in a step, which nothing else draws from."""
    content = hashlib.blake2b(f"tokens {seed} {step} {image_id}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(content, "little"))
