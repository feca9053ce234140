"""Columns of token shards: Arrow arrays from numpy's and back, nothing copied but what is taken."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.tokens.rows import Int


def fixed(array: NDArray[Any]) -> pa.Array:
    """Vectors [N, D] as lists of fixed size."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    # The length is named because a list of no neighbours (K = 0) cannot tell it.
    return pa.FixedSizeListArray.from_buffers(
        pa.list_(flat.type, array.shape[1]), len(array), [None], children=[flat]
    )


def ragged(first: Int, array: pa.Array) -> pa.Array:
    """An array as lists that start at `first` [lists + 1]."""
    return pa.ListArray.from_arrays(pa.array(first, pa.int32()), array)


def values(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column's values, not copied; a second axis where they are lists of fixed size."""
    array = column.chunk(0)
    if pa.types.is_list(array.type):
        array = array.values
    if not pa.types.is_fixed_size_list(array.type):
        return np.asarray(array.to_numpy())
    return np.asarray(array.values.to_numpy()).reshape(len(array), array.type.list_size)


def starts(counts: Sequence[int] | Int) -> Int:
    """Where each list starts, and behind the last one the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def offsets(lists: list[pa.ListArray]) -> Int:
    """Where each row's values start, counted through all shards."""
    counts = [np.diff(each.offsets.to_numpy()) for each in lists]
    return starts(np.concatenate(counts))


def spans(first: Int, indices: Int) -> tuple[Int, Int]:
    """How many values each row has, and the indices of them all."""
    counts = first[indices + 1] - first[indices]
    before = np.cumsum(counts) - counts
    return counts, np.repeat(first[indices] - before, counts) + np.arange(counts.sum())


class Column:
    """One array in pieces, a piece per shard."""

    def __init__(self, pieces: list[NDArray[Any]]) -> None:
        """Keep the pieces, of one dtype and equal but for their lengths."""
        self._pieces = pieces
        self._before = starts([len(each) for each in pieces])

    def take(self, indices: Int) -> Any:
        """Copy rows out, a run of indices into the same piece at a time."""
        out = np.empty((len(indices), *self._pieces[0].shape[1:]), self._pieces[0].dtype)
        piece = np.searchsorted(self._before, indices, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(indices)]
        for start, end in pairwise(cuts):
            if start < end:
                number = piece[start]
                inside = indices[start:end] - self._before[number]
                # "raise" would copy through a buffer; the indices are known to be inside.
                np.take(self._pieces[number], inside, axis=0, out=out[start:end], mode="clip")
        return out
