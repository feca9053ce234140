"""Questions to several variants at once: weighted sums of their values, with paired intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from semtok.bench import holm
from semtok.bench.comparison import decide
from semtok.bench.intervals import Interval, Resampled


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of variants' values.

    Attributes:
        name: for people.
        weights: variant -> its weight; they sum to 0.
    """

    name: str
    weights: Mapping[str, float]


@dataclass(frozen=True)
class Effect:
    """A contrast of one metric.

    Attributes:
        points: in the metric's own unit.
        relative: of a difference of two, in percent of what is subtracted; else None.
        p: two-sided (`intervals.Resampled.p_value`).
        p_adjusted: by Holm, among the contrasts of one question.
        verdict: `better`, `worse` or `undecided`, by `p_adjusted`.
    """

    points: Interval
    relative: Interval | None
    p: float
    p_adjusted: float
    verdict: str


def difference(variant: str, other: str) -> Contrast:
    """One variant minus another."""
    return Contrast(f"`{variant}` − `{other}`", {variant: 1.0, other: -1.0})


def two_by_two(names: tuple[str, str, str, str], rows: str, columns: str) -> list[Contrast]:
    """Main effects and interaction of a 2 x 2.

    Args:
        names: the variants: neither, rows' factor alone, columns' factor alone, both.
        rows: names the first factor.
        columns: names the second.
    """
    none, row, column, both = names
    return [
        Contrast(f"{rows}, mean effect", {row: 0.5, none: -0.5, both: 0.5, column: -0.5}),
        Contrast(f"{columns}, mean effect", {column: 0.5, none: -0.5, both: 0.5, row: -0.5}),
        Contrast("interaction", {both: 1.0, row: -1.0, column: -1.0, none: 1.0}),
    ]


def between(target: str, at: float, ladder: Mapping[str, float], what: str) -> Contrast | None:
    """A variant minus what a ladder of others would score at its place, between two rungs.

    Args:
        target: the variant.
        at: its place, e.g. the logarithm of its FLOPs.
        ladder: variant -> place, of at least two.
        what: names the ladder.

    Returns:
        None where the place lies outside the ladder, since nothing is measured there.
    """
    rungs = sorted(ladder.items(), key=lambda each: each[1])
    for (low, start), (high, end) in pairwise(rungs):
        if start <= at <= end and start < end:
            share = (at - start) / (end - start)
            weights = {target: 1.0, low: share - 1, high: -share}
            return Contrast(f"`{target}` − {what}", weights)
    return None


def effects(
    contrasts: Sequence[Contrast], found: Mapping[str, Resampled], metric: str, confidence: float
) -> list[Effect]:
    """What contrasts come to on one task, as one family of comparisons.

    Args:
        contrasts: the family.
        found: variant -> the metric, resampled together.
        metric: which one.
        confidence: of each interval, 0..1.
    """
    sums = [_sum(each, found) for each in contrasts]
    p_values = [each.p_value(_nothing(each)) for each in sums]
    return [
        Effect(
            points=(points := total.difference(_nothing(total), confidence)),
            relative=_relative(contrast, found, confidence),
            p=p,
            p_adjusted=adjusted,
            verdict=decide(points, adjusted, metric, confidence),
        )
        for contrast, total, p, adjusted in zip(
            contrasts, sums, p_values, holm.adjust(p_values), strict=True
        )
    ]


def _sum(contrast: Contrast, found: Mapping[str, Resampled]) -> Resampled:
    weights = contrast.weights.items()
    return Resampled(
        estimate=sum(weight * found[name].estimate for name, weight in weights),
        replicates=np.sum([weight * found[name].replicates for name, weight in weights], axis=0),
    )


def _nothing(like: Resampled) -> Resampled:
    return Resampled(0.0, np.zeros_like(like.replicates))


def _relative(
    contrast: Contrast, found: Mapping[str, Resampled], confidence: float
) -> Interval | None:
    if sorted(contrast.weights.values()) != [-1.0, 1.0]:
        return None
    ours, theirs = sorted(contrast.weights, key=lambda name: -contrast.weights[name])
    return found[ours].relative(found[theirs], confidence)
