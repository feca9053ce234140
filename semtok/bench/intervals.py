"""Intervals by the bootstrap: what a number might have been with other images and other seeds.

The bootstrap of Efron (1979), percentile intervals. Clusters (an image with its captions) are drawn
with replacement, together for all variants: differences are paired. Where a variant has S > 1
seeds, S - 1 of them are drawn too, which makes the variance of their mean unbiased (McCarthy and
Snowden 1985), for each variant on its own: the same seed starts two different trainings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from semtok.bench import agreement
from semtok.bench.cases import RANKED, RECALLS, Ranks, measured, members, values

#: Bytes of one block of resamples, so that memory does not grow with their number.
BLOCK = 64 * 2**20

#: Equal parts of the ascending ranks: more make products larger, fewer leave more to count.
_SEGMENTS = 32

#: Two values that differ by less differ by rounding: a case more or less is a larger step.
_ROUNDING = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval; None where it is undefined or unbounded."""

    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Resampled:
    """One metric of one variant.

    Attributes:
        estimate: on the cases as they are, mean over seeds.
        replicates: [B] the same on each resample; resample b of all variants holds the same images.
        from_zero: whether it counts from 0 (ranks: from 1), so that a ratio says something: recalls
            and ranks do, means where no case's value is below 0, and kappas, whose zero is chance,
            do not.
    """

    estimate: float
    replicates: Floats
    from_zero: bool = False

    def interval(self, confidence: float) -> Interval:
        """The variant's own interval.

        Args:
            confidence: 0..1.
        """
        return _percentile(self.estimate, self.replicates, confidence)

    def difference(self, baseline: "Resampled", confidence: float) -> Interval:
        """This minus the baseline, paired."""
        points = self._points(baseline)
        return _percentile(self.estimate - baseline.estimate, points, confidence)

    def p_value(self, baseline: "Resampled") -> float:
        """Two-sided p-value of this minus the baseline: 2 (1 + k) / (1 + B), at most 1.

        Of the B paired replicates, k is the number of those at or below 0, or of those at or above
        it, whichever is fewer: one that is 0 speaks against either sign. This turns the percentile
        interval of `difference` round: where the p-value is at most 1 - confidence, that interval
        leaves 0 out. Counting the estimate itself as one replicate keeps it above 0 (Davison and
        Hinkley 1997, section 4.2.5).
        """
        points = self._points(baseline)
        fewer = min(np.count_nonzero(points <= 0), np.count_nonzero(points >= 0))
        return min(1.0, 2 * (1 + fewer) / (1 + len(points)))

    def relative(self, baseline: "Resampled", confidence: float) -> Interval:
        """This over the baseline, minus 1, in percent, paired."""
        ratios = _relative(self.replicates, baseline.replicates)
        estimate = _relative(np.array([self.estimate]), np.array([baseline.estimate]))
        return _percentile(float(estimate[0]), ratios, confidence)

    def _points(self, baseline: "Resampled") -> Floats:
        points = self.replicates - baseline.replicates
        return np.where(np.abs(points) < _ROUNDING, 0.0, points)


def resample(
    variants: Sequence[Ranks],
    resamples: int,
    seed: int = 0,
    block: int = BLOCK,
    test: int = 0,
) -> list[dict[str, Resampled]]:
    """Draw the resamples of one task, for all variants at once.

    Args:
        variants: scored on the same cases (`cases.check_same_cases`).
        resamples: B, how many to draw.
        seed: of the random numbers; the same seed gives the same intervals.
        block: bytes of memory to work in, roughly.
        test: the trainings may be put to several tests, each of which calls this. Tests of the
            same number draw the same images; the seeds that are drawn are the same in all tests.

    Returns:
        For each variant, metric -> its estimate and replicates.
    """
    clusters, cases = variants[0].clusters.max() + 1, len(variants[0].clusters)
    rows = int(max(1, block // (24 * max(clusters, cases))))
    images = np.random.default_rng([seed, 0, test])
    shares = [
        _shares(np.random.default_rng([seed, 1, number]), resamples, len(each.seeds))
        for number, each in enumerate(variants)
    ]
    prepared = [_Prepared(each) for each in variants]
    metrics = measured(variants[0])
    replicates = np.empty((len(variants), len(metrics), resamples))
    for start in range(0, resamples, rows):
        here = slice(start, min(start + rows, resamples))
        drawn = _draw(images, here.stop - start, int(clusters), int(clusters))
        for number, each in enumerate(prepared):
            found = each.measure(drawn)
            replicates[number, :, here] = np.einsum("bsm,bs->mb", found, shares[number][here])
    return [
        {
            metric: Resampled(float(estimate), drawn, _from_zero(metric, each))
            for metric, estimate, drawn in zip(
                metrics, values(each).mean(axis=0), replicates[number], strict=True
            )
        }
        for number, each in enumerate(variants)
    ]


def _from_zero(metric: str, ranks: Ranks) -> bool:
    if ranks.values is None:
        return metric in RANKED
    return bool((ranks.values >= 0).all())


class _Prepared:
    """What resampling needs of one variant, computed once."""

    def __init__(self, ranks: Ranks) -> None:
        self.groups = [_Group(ranks, cases) for cases in members(ranks.groups)]
        ranked = ranks.ranks if ranks.values is None else ()
        self.medians = [_Median(each, ranks.clusters) for each in ranked]
        self.ranks = ranks

    def measure(self, drawn: npt.NDArray[np.int32]) -> Floats:
        """All metrics of each seed on each resample.

        Args:
            drawn: [b, C] how often each cluster was drawn.

        Returns:
            [b, S, M] in the order of `measured`.
        """
        weights = drawn.astype(np.float64)
        labels, chosen = self.ranks.labels, self.ranks.chosen
        shares, sizes = zip(*(each.measure(weights) for each in self.groups), strict=True)
        # A group that a resample has no case of has no mean there.
        means = np.nanmean(shares, axis=0)
        if self.ranks.values is not None:
            return np.asarray(means, np.float64)
        cases = np.sum(sizes, axis=0).astype(np.int64)
        medians = np.stack([each.measure(drawn, weights, cases) for each in self.medians], axis=1)
        found = [means, medians[:, :, None]]
        if labels is not None and chosen is not None:
            found.append(agreement.kappas(labels, chosen, weights[:, self.ranks.clusters]))
        return np.concatenate(found, axis=2)


class _Group:
    """The cases whose mean is one term of a macro average; of a task without groups, all."""

    def __init__(self, ranks: Ranks, cases: slice | npt.NDArray[np.int64]) -> None:
        self.clusters, owners = np.unique(ranks.clusters[cases], return_inverse=True)
        if ranks.values is None:
            limits = np.array(list(RECALLS.values()))
            found = 100.0 * (ranks.ranks[:, cases, None] <= limits)  # [S, n, K]
        else:
            found = ranks.values[:, cases, None]
        self.sizes = np.bincount(owners).astype(np.float64)
        self.sums = np.zeros((len(self.clusters), *found.shape[::2]))
        np.add.at(self.sums, owners, found.transpose(1, 0, 2))

    def measure(self, weights: Floats) -> tuple[Floats, Floats]:
        """Recalls, or the mean of values [b, S, K], NaN without a case, and numbers of cases [b].

        Args:
            weights: [b, C] how often each cluster was drawn.
        """
        weights = weights[:, self.clusters]
        sizes = weights @ self.sizes
        sums = np.tensordot(weights, self.sums, axes=1)
        with np.errstate(invalid="ignore"):
            return sums / sizes[:, None, None], sizes


class _Median:
    """The median of the ranks [N] of one training.

    Where it lies among segments of the ascending ranks follows from how many cases each cluster has
    in each, which is a product of matrices; only the cases of that segment are then counted.
    """

    def __init__(self, ranks: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]) -> None:
        order = np.argsort(ranks, kind="stable")
        self.ranks, self.size = ranks[order], -(-len(ranks) // _SEGMENTS)
        # The last segment may be longer than the cases left: what is added is never reached.
        self.clusters = np.pad(clusters[order], (0, self.size), mode="edge")
        places = clusters[order] * _SEGMENTS + np.arange(len(ranks)) // self.size
        length = (clusters.max() + 1) * _SEGMENTS
        self.counts = np.bincount(places, minlength=length).reshape(-1, _SEGMENTS).astype(float)

    def measure(
        self, drawn: npt.NDArray[np.int32], weights: Floats, totals: npt.NDArray[np.int64]
    ) -> Floats:
        """Medians [b] of resamples.

        Args:
            drawn: [b, C] how often each cluster was drawn.
            weights: [b, C] the same as float64.
            totals: [b] how many cases that is.
        """
        upto = np.cumsum(weights @ self.counts, axis=1).astype(np.int64)
        low, high = (self._at(each, drawn, upto) for each in ((totals - 1) // 2, totals // 2))
        median: Floats = (low + high) / 2
        return median

    def _at(
        self,
        places: npt.NDArray[np.int64],
        drawn: npt.NDArray[np.int32],
        upto: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """The ranks at places [b], from 0; upto [b, G] = how many cases the segments end with."""
        rows = np.arange(len(places))
        segments = (upto > places[:, None]).argmax(axis=1)
        before = np.where(segments > 0, upto[rows, segments - 1], 0)
        cases = segments[:, None] * self.size + np.arange(self.size)
        counts = np.take_along_axis(drawn, self.clusters[cases], axis=1)
        within = np.cumsum(counts, axis=1) > (places - before)[:, None]
        found: npt.NDArray[np.int64] = self.ranks[segments * self.size + within.argmax(axis=1)]
        return found


def _draw(
    random: np.random.Generator, times: int, options: int, draws: int
) -> npt.NDArray[np.int32]:
    """How often each of `options` comes up in `draws` draws with replacement: [times, options]."""
    picks = random.integers(0, options, (times, draws)) + options * np.arange(times)[:, None]
    counts = np.bincount(picks.ravel(), minlength=times * options)
    return counts.reshape(times, options).astype(np.int32)


def _shares(random: np.random.Generator, times: int, seeds: int) -> Floats:
    """What each seed counts for in each resample: [times, seeds], each row sums to 1."""
    if seeds == 1:
        return np.ones((times, 1))
    return _draw(random, times, seeds, seeds - 1) / (seeds - 1)


def _relative(values: Floats, baseline: Floats) -> Floats:
    """In percent; something over nothing is infinite, nothing over nothing is no gain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((values == 0) & (baseline == 0), 0.0, 100 * (values / baseline - 1))


def _percentile(estimate: float, replicates: Floats, confidence: float) -> Interval:
    # No interpolation: a replicate may be infinite.
    tail = (1 - confidence) / 2
    low = np.quantile(replicates, tail, method="lower")
    high = np.quantile(replicates, 1 - tail, method="higher")
    return Interval(*(float(each) if np.isfinite(each) else None for each in (estimate, low, high)))
