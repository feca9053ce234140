"""Folds: which part of the cases or images something is fitted on, and which it is asked about."""

import hashlib

import numpy as np
import numpy.typing as npt


def folds_of(ids: npt.NDArray[np.int64], folds: int) -> npt.NDArray[np.int64]:
    """The fold of each id, 0 to `folds` - 1, by the id alone: the same whatever others there are.

    Args:
        ids: [N] of images or clusters.
        folds: from 2.

    Returns:
        [N]; independent of an image's split and shard.
    """
    return np.array([_fold_of(each, folds) for each in ids.tolist()], np.int64)


def _fold_of(each: int, folds: int) -> int:
    content = each.to_bytes(8, "little", signed=True)
    hashed = hashlib.blake2b(content, digest_size=8, person=b"bench").digest()
    return int.from_bytes(hashed, "little") % folds
