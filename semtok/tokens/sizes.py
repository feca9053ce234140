"""A batch in parts of images of similar size, so that little of what is computed is padding.

The batch stays what it is: the same images, contrasted with one another. Only the encoder, for
which an image does not depend on the others, is given them part by part.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from semtok.tokens.batch import TokenBatch
from semtok.tokens.rows import Int

#: More parts have less padding and smaller matrix products. With five a tenth of the tokens of
#: `semantic` on `scenes` is padding, of half without parts; with four, a seventh.
PARTS = 5


class Part(NamedTuple):
    """Some images of a batch.

    Attributes:
        tokens: theirs, padded to the longest of them.
        rows: [images] int64, which of the batch they are.
    """

    tokens: TokenBatch
    rows: Tensor


def by_size(batch: TokenBatch, parts: int = PARTS) -> list[Part]:
    """Cut a batch where that leaves the fewest tokens to compute.

    Args:
        batch: on the CPU.
        parts: at most so many.

    Returns:
        Every image in one of them; the batch itself where all images have as many tokens.
    """
    lengths = batch.valid.sum(1).numpy()
    if lengths.min() == batch.valid.shape[1]:
        return [Part(batch, torch.arange(len(batch)))]
    order = np.argsort(lengths, kind="stable")
    ends = _cuts(lengths[order], parts)
    rows = [torch.from_numpy(each) for each in np.split(order, ends)]
    return [Part(batch.part(each), each) for each in rows]


def _cuts(lengths: Int, parts: int) -> Int:
    """Where ascending lengths are best cut: the starts of all parts but the first.

    Images of one length stay together, which is never worse. Lengths are few, where a table of all
    pairs of images would be slow and large.
    """
    bounds = np.append(np.flatnonzero(np.diff(lengths, prepend=-1)), len(lengths))
    starts, ends, count = bounds[:-1, None], bounds[1:], len(bounds) - 1
    # A part of the lengths i to j - 1 has each of its images as long as the last one.
    computed = np.where(ends > starts, lengths[ends - 1] * (ends - starts), np.inf)
    least = computed[0]  # tokens of the first j lengths in one part
    chosen = []
    for _ in range(min(parts, count) - 1):
        # One more part, from i: the first i lengths in the parts before.
        ways = np.concatenate([computed[:1], least[:-1, None] + computed[1:]])
        chosen.append(ways.argmin(axis=0))
        least = ways.min(axis=0)
    cuts, end = [], count
    for starts_of in reversed(chosen):
        start = int(starts_of[end - 1])
        if start == 0:
            break
        cuts.append(bounds[start])
        end = start
    return np.array(cuts[::-1], np.int64)
