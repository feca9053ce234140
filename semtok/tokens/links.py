"""Which patches a region stands for, and the edges that its relations become between patches."""

import numpy as np
from numpy.typing import NDArray

from semtok.errors import SemtokError
from semtok.tokens.rows import Int, RegionRows, UInt8

#: Coverage (0..255) from which a patch belongs to a region: half of it.
_HALF = 127.5


def patches_of_regions(cells: UInt8, side: int) -> NDArray[np.bool_]:
    """The patches of each region: all that it covers by half, else the one it covers most.

    Of equally covered patches the first in reading order is taken. Two regions may have a patch in
    common.

    Args:
        cells: [R, c*c] uint8, how much (0..255) of each cell of the image a region covers.
        side: patches a side; divides c.

    Returns:
        [R, side*side] bool, one patch at least for each region.

    Raises:
        SemtokError: patches are not made of whole cells.
    """
    across = round(cells.shape[1] ** 0.5)
    if across % side:
        raise SemtokError(
            f"patch_size: {side} patches a side are not made of whole cells, of which the "
            f"tokenizer keeps {across} a side; give the variant a patch_size that is a multiple "
            "of cell_size"
        )
    step = across // side
    covered = cells.reshape(-1, side, step, side, step).mean(axis=(2, 4)).reshape(-1, side**2)
    chosen = np.asarray(covered >= _HALF)
    small = np.flatnonzero(~chosen.any(axis=1))
    chosen[small, covered[small].argmax(axis=1)] = True
    return chosen


def covered_patches(regions: RegionRows, side: int) -> NDArray[np.bool_]:
    """The patches that some region covers, however little of them: the foreground.

    Args:
        regions: of B images; their `features` are coverages of cells.
        side: patches a side; divides the cells a side.

    Returns:
        [B, side*side] bool.
    """
    first = np.cumsum(regions.region_counts) - regions.region_counts
    cells = np.maximum.reduceat(regions.features, first, axis=0)
    step = round(cells.shape[1] ** 0.5) // side
    patches = cells.reshape(-1, side, step, side, step).any(axis=(2, 4))
    return np.asarray(patches.reshape(-1, side**2))


def edges_of_patches(regions: RegionRows, side: int, own: Int | None) -> tuple[Int, Int]:
    """What relations among regions become among patches.

    A relation from subject s to object o joins every patch of s with every patch of o; where it
    has a token of its own, that is joined with every patch of s and every patch of o, each once.

    Args:
        regions: of B images; their `features` are coverages of cells.
        side: patches a side.
        own: [E] int64, the position of each relation's token; None: it has none.

    Returns:
        [B] int64, how many edges each image has, and all of them as rows [L, 4] of
        `TokenBatch.edges`, image by image and relation by relation.

    Raises:
        SemtokError: as `patches_of_regions`.
    """
    chosen = patches_of_regions(np.asarray(regions.features, np.uint8), side)
    image = np.repeat(np.arange(len(regions.image_ids)), regions.edge_counts)
    before = np.cumsum(regions.region_counts) - regions.region_counts
    subject, target = (before[image] + ends for ends in regions.edge_ends.T)
    patches, counts = np.nonzero(chosen)[1], chosen.sum(axis=1)
    first = np.cumsum(counts) - counts
    of_subject, of_target = counts[subject], counts[target]

    relation, number = _count_up(of_subject * of_target)
    row, column = np.divmod(number, of_target[relation])
    parts = [(relation, patches[first[subject][relation] + row],
              patches[first[target][relation] + column], np.full(len(relation), -1))]  # fmt: skip
    if own is not None:
        relation, number = _count_up(of_subject)
        nothing = np.full(len(relation), -1)
        parts.append((relation, patches[first[subject][relation] + number], nothing, own[relation]))
        relation, number = _count_up(of_target)
        nothing = np.full(len(relation), -1)
        parts.append((relation, nothing, patches[first[target][relation] + number], own[relation]))
    relation, *ends, token = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(relation, kind="stable")
    rows = np.stack([*ends, regions.edge_predicate[relation], token], axis=1)[order]
    return np.bincount(image[relation], minlength=len(regions.image_ids)), rows


def _count_up(counts: Int) -> tuple[Int, Int]:
    """For counts (2, 0, 3): whose it is (0 0 2 2 2), and its number there (0 1 0 1 2)."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
