"""The control `permute_relations`: what an image's relations are stays, and between what goes."""

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from semtok.tokens.rows import Int, RegionRows

UInt64: TypeAlias = NDArray[np.uint64]


def permute(rows: RegionRows, seed: int) -> RegionRows:
    """Permute each image's predicates among its relations, then redraw their ends.

    The number of relations and that of each predicate stay. The ends become ordered pairs of
    different regions of the image, uniformly drawn; a pair repeats only where there are more
    relations than pairs. With a single region the ends stay. What an image gets depends on the
    seed and its id alone, not on its batch.

    Args:
        rows: the rows of B images.
        seed: of the permutation, not negative.
    """
    image = np.repeat(np.arange(len(rows.image_ids)), rows.edge_counts)
    number = np.arange(len(image)) - (np.cumsum(rows.edge_counts) - rows.edge_counts)[image]
    stream = _mix(rows.image_ids.astype(np.uint64) ^ _mix(np.array([seed], np.uint64)))
    order = np.lexsort((_random(stream[image], 2 * number), image))
    return replace(
        rows,
        edge_ends=np.where(
            rows.region_counts[image, None] > 1, _ends(rows, stream)[image, number], rows.edge_ends
        ),
        edge_predicate=rows.edge_predicate[order],
    )


def _ends(rows: RegionRows, stream: UInt64) -> NDArray[np.int16]:
    """Ends [B, E, 2] by Floyd's sampling without replacement (Bentley and Floyd 1987)."""
    others = np.maximum(rows.region_counts - 1, 1)
    pairs = rows.region_counts * others
    pool = pairs * np.maximum(-(-rows.edge_counts // pairs), 1)
    most = int(rows.edge_counts.max(initial=0))
    drawn = np.full((len(pairs), most), -1, np.int64)
    for step in range(most):
        has = np.flatnonzero(rows.edge_counts > step)
        last = pool[has] - rows.edge_counts[has] + step
        number = np.full(len(has), 2 * step + 1)
        draw = (_random(stream[has], number) % (last + 1).astype(np.uint64)).astype(np.int64)
        taken = (drawn[has] == draw[:, None]).any(axis=1)
        drawn[has, step] = np.where(taken, last, draw)
    subject, other = np.divmod(drawn % pairs[:, None], others[:, None])
    return np.stack([subject, other + (other >= subject)], axis=-1).astype(np.int16)


def _random(stream: UInt64, number: Int) -> UInt64:
    """The given draw of each stream, uniform over 64 bits."""
    return _mix(stream + number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mix(value: UInt64) -> UInt64:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads bits."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
