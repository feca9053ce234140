"""COCO run lengths by numpy alone, many masks at once.

A mask is a list of runs down its columns, left to right; the first is background (0 where the
mask's first pixel is set). Canonical runs have no zero but that one: equal masks, equal runs.
The compressed form is the string of pycocotools (`maskApi.c`): runs as differences from the run
two before, in groups of 5 bits, least significant first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int: TypeAlias = NDArray[np.int64]

#: Characters of the longest number that a run can need (35 bits).
_LONGEST = 7

#: The bit of a group that says that another one follows.
_MORE = 0x20


@dataclass(frozen=True)
class Runs:
    """The runs of N masks, one mask behind the other.

    Attributes:
        counts: [R] int64, run lengths in pixels.
        offsets: [N + 1] int64; mask i owns counts[offsets[i]:offsets[i + 1]].
    """

    counts: Int
    offsets: Int

    def __len__(self) -> int:
        """The number of masks."""
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Int:
        """The runs of one mask."""
        return self.counts[self.offsets[index] : self.offsets[index + 1]]

    def take(self, indices: Int) -> "Runs":
        """The masks at the given positions, in that order."""
        if len(indices) == len(self) and np.array_equal(indices, np.arange(len(self))):
            return self  # as mostly: nothing was set aside
        lengths = np.diff(self.offsets)[indices]
        offsets = starts(lengths)
        shift = self.offsets[indices] - offsets[:-1]
        return Runs(self.counts[np.arange(offsets[-1]) + np.repeat(shift, lengths)], offsets)

    @classmethod
    def of(cls, masks: Sequence[ArrayLike]) -> "Runs":
        """Join the runs of single masks."""
        arrays = [np.asarray(each, np.int64) for each in masks]
        counts = np.concatenate([np.empty(0, np.int64), *arrays])
        return cls(counts, starts(np.array([len(each) for each in arrays], np.int64)))

    @classmethod
    def joined(cls, several: Sequence["Runs"]) -> "Runs":
        """All masks of several, in that order."""
        lengths = np.concatenate([np.diff(each.offsets) for each in several])
        return cls(np.concatenate([each.counts for each in several]), starts(lengths))


@dataclass(frozen=True)
class Intervals:
    """The foreground of N masks as half-open intervals of column-major pixel positions.

    Attributes:
        owner: [K] int64, the mask of each interval, ascending.
        start: [K] int64, its first pixel, ascending within a mask.
        end: [K] int64, the pixel behind its last one.
    """

    owner: Int
    start: Int
    end: Int


def starts(lengths: Int) -> Int:
    """Where each of N ragged rows starts: [N] lengths -> [N + 1] offsets."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def positions(offsets: Int) -> Int:
    """The place of each element within its ragged row: [N + 1] offsets -> [R] 0, 1, 2, ..."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def intervals(runs: Runs) -> Intervals:
    """The foreground of each mask; empty runs vanish."""
    owner, at = _foreground(runs)
    length = runs.counts[at]
    before = starts(runs.counts[at - 1] + length)
    first = starts(np.diff(runs.offsets) // 2)[:-1]
    end = before[1:] - before[first][owner]
    if length.all():
        return Intervals(owner, end - length, end)
    found = np.flatnonzero(length)
    return Intervals(owner[found], (end - length)[found], end[found])


def _foreground(runs: Runs) -> tuple[Int, Int]:
    """The second, fourth, ... run of each mask: its mask, and where it is among all."""
    number = np.diff(runs.offsets) // 2
    owner = np.repeat(np.arange(len(runs)), number)
    skipped = runs.offsets[:-1] - 2 * starts(number)[:-1] + 1
    return owner, 2 * np.arange(len(owner)) + skipped[owner]


def from_intervals(parts: Intervals, sizes: Int) -> Runs:
    """The canonical runs of masks of which the foreground is known.

    Args:
        parts: in any order within a mask, none empty; those that touch or overlap are joined.
        sizes: [N] pixels of each mask's image.
    """
    # One mask behind the other, all are one long row of pixels.
    base = starts(sizes)
    owner, shift = parts.owner, base[parts.owner]
    start, end = parts.start + shift, parts.end + shift
    if np.any(start[1:] < start[:-1]):
        order = np.argsort(start, kind="stable")  # which is quick where most are in order
        start, end = start[order], end[order]
    end = np.maximum.accumulate(end)
    begins, ends = np.ones((2, len(owner)), bool)
    begins[1:] = ends[:-1] = (start[1:] > end[:-1]) | (owner[1:] != owner[:-1])
    begins = np.flatnonzero(begins)
    owner, start, end = owner[begins], start[begins], end[np.flatnonzero(ends)]
    # Each run ends where the next one starts, the last of a mask where the next mask does.
    kept = np.bincount(owner, minlength=len(sizes))
    covered = base[:-1].copy()
    covered[kept > 0] = end[starts(kept)[1:][kept > 0] - 1]
    tail = (covered < base[1:]).astype(np.int64)
    offsets = starts(2 * kept + tail)
    bounds = np.empty(offsets[-1], np.int64)
    place = 2 * np.arange(len(owner)) + starts(tail)[owner]
    bounds[place], bounds[place + 1] = start, end
    bounds[offsets[1:][tail > 0] - 1] = base[1:][tail > 0]
    return Runs(np.diff(bounds, prepend=0), offsets)


def canonical(runs: Runs) -> Runs:
    """The same masks without empty runs."""
    first = runs.counts[runs.offsets[:-1][np.diff(runs.offsets) > 0]]
    if np.count_nonzero(runs.counts == 0) == np.count_nonzero(first == 0):
        return runs
    return from_intervals(intervals(runs), sums(runs))


def sums(runs: Runs) -> Int:
    """[N] pixels that the runs of each mask cover: its image's, if they are right."""
    return _sums(runs.counts, runs.offsets)


def areas(runs: Runs) -> Int:
    """[N] foreground pixels of each mask."""
    _, at = _foreground(runs)
    return _sums(runs.counts[at], starts(np.diff(runs.offsets) // 2))


def _sums(values: Int, offsets: Int) -> Int:
    """[N] the sum of each ragged row."""
    found = np.zeros(len(offsets) - 1, np.int64)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        found[filled] = np.add.reduceat(values, offsets[filled])
    return found


def measure(runs: Runs, heights: Int) -> tuple[Int, Int]:
    """The area and the tight box of each mask.

    Args:
        heights: [N] height of each mask's image in pixels.

    Returns:
        [N] foreground pixels, and [N, 4] x, y, w, h in pixels; zeros for an empty mask.
    """
    parts = intervals(runs)
    areas, boxes = np.zeros(len(runs), np.int64), np.zeros((len(runs), 4), np.int64)
    if not len(parts.owner):
        return areas, boxes
    bounds = np.searchsorted(parts.owner, np.arange(len(runs) + 1))
    filled = np.flatnonzero(np.diff(bounds))
    first, last = bounds[filled], bounds[filled + 1] - 1
    # Exact as long as a mask has less than 2^52 pixels, and faster than whole-number division.
    start = parts.start.astype(np.float64)
    height = heights.astype(np.float64)[parts.owner]
    top = start - np.floor(start / height) * height
    length = parts.end - parts.start
    areas[filled] = np.add.reduceat(length, first)
    bottom = np.maximum.reduceat(top + length, first)
    # An interval that runs on into the next column touches the last row and the first one.
    high = heights[filled]
    wraps = bottom > high
    upper = np.where(wraps, 0, np.minimum.reduceat(top, first))
    left, right = parts.start[first] // high, (parts.end[last] - 1) // high
    lower = np.where(wraps, high, bottom)
    boxes[filled] = np.stack([left, upper, right - left + 1, lower - upper], axis=1)
    return areas, boxes


def of_labels(labels: NDArray[np.integer]) -> tuple[NDArray[np.integer], Runs]:
    """Every region of a label map at once.

    Args:
        labels: [H, W], a number per pixel.

    Returns:
        The [N] numbers that occur, ascending, and the canonical runs of each.
    """
    pixels = labels.T.ravel()
    start = np.concatenate([[0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1])
    end = np.append(start[1:], len(pixels))
    values, owner = np.unique(pixels[start], return_inverse=True)
    order = np.argsort(owner, kind="stable")
    parts = Intervals(owner[order], start[order], end[order])
    return values, from_intervals(parts, np.full(len(values), len(pixels)))


def encode(mask: NDArray[np.bool_] | NDArray[np.uint8]) -> Int:
    """The canonical runs of one binary mask [H, W]."""
    pixels = mask.T.ravel().astype(bool)
    change = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    counts = np.diff(np.concatenate([[0], change, [len(pixels)]]))
    return np.concatenate([[0], counts]) if pixels[0] else counts


def decode(counts: ArrayLike, height: int, width: int) -> NDArray[np.uint8]:
    """One binary mask [H, W] uint8 (0 or 1), column-major in memory, from its runs."""
    runs = np.asarray(counts, np.int64)
    values = (np.arange(len(runs)) % 2).astype(np.uint8)
    return np.repeat(values, runs).reshape(width, height).T


def decompress(strings: Sequence[bytes]) -> tuple[Runs, NDArray[np.bool_]]:
    """Read compressed strings.

    Returns:
        The runs of each, and whether it was well formed; the runs of one that was not are empty.
    """
    offsets = starts(np.array([len(each) for each in strings], np.int64))
    code = np.frombuffer(b"".join(strings), np.uint8) - np.uint8(48)
    ends = code < _MORE
    good = offsets[1:] > offsets[:-1]
    good[good] = ends[offsets[1:][good] - 1]
    good[_owners(offsets, code >= 2 * _MORE)] = False
    if not good.all():
        return _decompress_some(strings, good)
    last = np.flatnonzero(ends)
    digits = np.diff(last, prepend=-1)
    offsets = np.searchsorted(last, offsets)
    good[_owners(offsets, digits > _LONGEST)] = False
    if not good.all():
        return _decompress_some(strings, good)

    values = (code[last] ^ 0x10).astype(np.int64) - 0x10  # the highest group bears the sign
    for place in range(1, digits.max(initial=0)):
        longer = np.flatnonzero(digits > place)
        values[longer] = (values[longer] << 5) + (code[last[longer] - place] & 0x1F)
    runs = Runs(_undo_differences(values, offsets), offsets)
    good[_owners(offsets, runs.counts < 0)] = False
    return (runs, good) if good.all() else _decompress_some(strings, good)


def _owners(offsets: Int, marked: NDArray[np.bool_]) -> Int:
    """The ragged rows of the marked elements."""
    return np.searchsorted(offsets, np.flatnonzero(marked), side="right") - 1


def _decompress_some(
    strings: Sequence[bytes], some: NDArray[np.bool_]
) -> tuple[Runs, NDArray[np.bool_]]:
    """Read the strings that seem good so far; the others get no runs."""
    runs, good = decompress([each for each, kept in zip(strings, some, strict=True) if kept])
    lengths = np.zeros(len(strings), np.int64)
    lengths[some] = np.diff(runs.offsets)
    some = some.copy()
    some[some] = good
    return Runs(runs.counts, starts(lengths)), some


def _undo_differences(values: Int, offsets: Int) -> Int:
    """From the fourth run on, a run is stored less the run two before it."""
    # So a mask is its first run and two laced chains of sums, which start behind it.
    begins = (offsets[:-1, None] + np.arange(3)).ravel()
    begins = begins[begins < np.repeat(offsets[1:], 3)]
    counts = np.empty_like(values)
    for parity in (0, 1):
        lane = values[parity::2]
        first = begins[begins % 2 == parity] // 2
        total = np.cumsum(lane)
        before = total[first] - lane[first]
        counts[parity::2] = total - np.repeat(before, np.diff(first, append=len(lane)))
    return counts
