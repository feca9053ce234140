"""Masks of an image that are one, found twice."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

#: IoU from which on two masks of an image are one.
SAME = 0.95


def repeated(table: pa.Table) -> pl.DataFrame:
    """The masks that repeat another one of their image.

    Args:
        table: schema `MASKS`, one shard; what its boxes and areas say may be wrong.

    Returns:
        image_id, mask_id, and the mask_id of the one before it that it `repeats`.
    """
    names = ("image_id", "mask_id", "area", "x", "y", "w", "h")
    image, number, area, x, y, w, h = (table[name].to_numpy().astype(np.int64) for name in names)
    order = np.argsort(image, kind="stable")
    starts = np.flatnonzero(np.diff(image[order], prepend=-1, append=-1))
    counts = table["counts"].combine_chunks()
    found = []
    for rows in (order[start:end] for start, end in pairwise(starts)):
        # Masks that share so much have boxes that share as many pixels.
        across = _shared(x[rows], w[rows])
        likely = across * _shared(y[rows], h[rows]) >= SAME * np.maximum.outer(
            area[rows], area[rows]
        )
        likely &= number[rows][:, None] != number[rows]  # that is another rule's
        for first, second in np.argwhere(np.triu(likely, k=1)).tolist():
            one, other = (counts[int(rows[at])].values.to_numpy() for at in (first, second))
            if _overlap(one, other) >= SAME:
                found.append((int(image[rows[second]]), *number[rows[[second, first]]].tolist()))
    schema = {"image_id": pl.Int64, "mask_id": pl.Int64, "repeats": pl.Int64}
    rows_found = pl.DataFrame(found, schema=schema, orient="row")
    return rows_found.unique(["image_id", "mask_id"], keep="first", maintain_order=True)


def _shared(start: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[N, N] what intervals share, two by two."""
    end = start + length
    shared = np.minimum.outer(end, end) - np.maximum.outer(start, start)
    return np.asarray(np.maximum(shared, 0))


def _overlap(one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> float:
    """The IoU of two masks by their runs; 0 where they are of different sizes."""
    first, second = (np.repeat(np.arange(len(runs)) % 2 == 1, runs) for runs in (one, other))
    if len(first) != len(second):
        return 0.0
    return float((first & second).sum() / max(1, (first | second).sum()))
