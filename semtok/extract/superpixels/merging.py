"""Pixels -> regions, by merging neighbours from the bottom up (Ward 1963, Borůvka 1926).

Every pixel starts as a region, and neighbours (of 4) merge where that adds least to the squared
distances of pixels from their region's mean, in colour (CIELAB) and place:

    w(a, b) = |a| |b| / (|a| + |b|) * ||mean(a) - mean(b)||^2

As in Superpixel Hierarchy (Wei et al. 2018) and SPiT (arXiv 2408.07680) a round merges many pairs
at once. They go on until one region is left; without the N - 1 merges that added most, there are N.
So their number is exact, and each is connected by itself, which SLIC's clusters have to be made.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Int: TypeAlias = NDArray[np.int64]
Float: TypeAlias = NDArray[np.float32]

#: Rounds in which every region goes to its nearest neighbour, so that whole chains merge. In later
#: ones pairs merge that are each other's nearest, as they would one by one: chains fray regions.
_CHAINS = 2

#: Edges per region above which repeated ones are removed. Sorting them costs more than a few do.
_CROWDED = 6

#: An odd number, so that multiplication by it is undone by another one, modulo 2^32.
_SHUFFLE = 0x9E3779B1
_UNSHUFFLE = pow(_SHUFFLE, -1, 2**32)


def superpixels(image: NDArray[np.uint8], regions: int, compactness: float) -> Int:
    """Cut an image into superpixels.

    Args:
        image: [H, W, 3] uint8 RGB.
        regions: N, how many, from 1 up; where there are fewer pixels, each is one.
        compactness: what a distance as wide as a square region counts as in colour (units of
            CIELAB), from 0 up; the larger, the rounder are regions.

    Returns:
        [H, W] numbers from 0 to N - 1, each one a region that is connected (of 4).
    """
    height, width = image.shape[:2]
    count = height * width
    wanted = min(regions, count)
    parents, heights = _tree(image, compactness * (wanted / count) ** 0.5)
    roots = _highest(heights, wanted)
    parents[roots] = roots
    numbers = np.zeros(count, np.int64)
    numbers[roots] = np.arange(wanted)
    return numbers.take(_ends(parents)).reshape(height, width)


def _tree(image: NDArray[np.uint8], unit: float) -> tuple[Int, Float]:
    """All merges, until one region is left.

    Args:
        unit: what a pixel of distance counts as.

    Returns:
        For each pixel another one, whose region the region that it stood for became part of, and
        what that added, or more where merges before it did. The last one is its own, at infinity.
    """
    parents, heights = np.arange(image[..., 0].size), np.full(image[..., 0].size, np.inf, "f")
    first, second = _neighbours(*image.shape[:2])
    sums, sizes = _sums(image, unit), np.ones(len(parents))
    pixel, high = parents.copy(), np.zeros(len(parents), np.float32)  # of each region
    rounds = 0
    while len(pixel) > 1:
        added = _added(sums, sizes, first, second)
        into, cost = _nearest(added, first, second, len(pixel), chains=rounds < _CHAINS)
        (goes,) = np.nonzero(into != np.arange(len(pixel)))
        to = into.take(goes)
        # Higher than all merges that either side is made of: what is cut has no cut below it.
        height = np.maximum(np.maximum(high.take(goes), high.take(to)), cost.take(goes))
        height = np.nextafter(height, np.float32(np.inf))
        parents[pixel[goes]], heights[pixel[goes]] = pixel[to], height

        into = _ends(into)
        (stays,) = np.nonzero(into == np.arange(len(pixel)))
        number = np.zeros(len(pixel), np.int64)
        number[stays] = np.arange(len(stays))
        number = number.take(into)
        pixel, high = pixel[stays], high[stays]
        np.maximum.at(high, number[goes], height)
        sums = [_pooled(each, number, len(pixel)) for each in sums]
        sizes = _pooled(sizes, number, len(pixel))
        first, second = _contracted(number.take(first), number.take(second), len(pixel))
        rounds += 1
    return parents, heights


def _neighbours(height: int, width: int) -> tuple[Int, Int]:
    """The edges between pixels that lie side by side or one above the other, by their ends."""
    pixels = np.arange(height * width).reshape(height, width)
    first = np.concatenate([pixels[:, :-1].ravel(), pixels[:-1].ravel()])
    return first, np.concatenate([pixels[:, 1:].ravel(), pixels[1:].ravel()])


def _sums(image: NDArray[np.uint8], unit: float) -> list[NDArray[np.float64]]:
    """What a region's mean is taken of, each [H * W]: L, a, b, y and x."""
    height, width = image.shape[:2]
    # OpenCV's eight bits are whole numbers on every machine; it stretches L from 0..100 to 0..255.
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3) * np.array([100 / 255, 1, 1])
    y, x = np.repeat(np.arange(height), width), np.tile(np.arange(width), height)
    return [*np.ascontiguousarray(lab.T), unit * y, unit * x]


def _added(
    sums: list[NDArray[np.float64]], sizes: NDArray[np.float64], first: Int, second: Int
) -> Float:
    """How much the squared distances grow where the ends of each edge merge."""
    total = np.zeros(len(first), np.float32)
    for each in sums:
        mean = (each / sizes).astype(np.float32)
        apart = mean.take(first)
        apart -= mean.take(second)
        apart *= apart
        total += apart
    share = (1 / sizes).astype(np.float32)
    return total / (share.take(first) + share.take(second))


def _nearest(added: Float, first: Int, second: Int, count: int, chains: bool) -> tuple[Int, Float]:
    """The region that each one becomes part of in this round, and what that adds.

    Args:
        added: of each edge.
        first, second: its ends.
        count: regions that there are.
        chains: whether regions go to their nearest neighbours, whoever is nearest to those.

    Returns:
        [count] other regions, or their own number where they stay, and what each one's cheapest
        merge adds.
    """
    edges = np.arange(len(added), dtype=np.uint32)
    # Floats of no sign are ordered as their bits are. Behind them stands the edge, which decides
    # among equals: shuffled, as plain areas would merge into rows otherwise.
    keys = added.view(np.int32).astype(np.int64) << 32
    keys |= edges * np.uint32(_SHUFFLE)
    best = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(best, first, keys)
    np.minimum.at(best, second, keys)
    edge = best.astype(np.uint32) * np.uint32(_UNSHUFFLE)
    own = np.arange(count)
    other = first.take(edge) + second.take(edge) - own
    mutual = other.take(other) == own
    stays = mutual & (own < other) if chains else ~mutual | (own < other)
    return np.where(stays, own, other), added.take(edge)


def _contracted(first: Int, second: Int, count: int) -> tuple[Int, Int]:
    """The edges whose ends are different regions still."""
    (kept,) = np.nonzero(first != second)
    first, second = first.take(kept), second.take(kept)
    if len(first) <= _CROWDED * count:
        return first, second
    pairs = np.sort(np.minimum(first, second) * count + np.maximum(first, second))
    return np.divmod(pairs[np.flatnonzero(np.diff(pairs, prepend=-1))], count)


def _pooled(values: NDArray[np.float64], number: Int, count: int) -> NDArray[np.float64]:
    """The sums of values over those of a number, 0 to `count` - 1."""
    return np.asarray(np.bincount(number, values, count), np.float64)


def _ends(parents: Int) -> Int:
    """Where each one gets by going from parent to parent."""
    while not np.array_equal(further := parents.take(parents), parents):
        parents = further
    return parents


def _highest(heights: Float, most: int) -> Int:
    """Where the highest ones are, ascending; of equals, the first."""
    bar = np.partition(heights, len(heights) - most)[len(heights) - most]
    above = heights > bar
    (level,) = np.nonzero(heights == bar)
    above[level[: most - np.count_nonzero(above)]] = True
    return np.flatnonzero(above)
