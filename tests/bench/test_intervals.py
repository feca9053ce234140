"""The bootstrap against scipy's, against a plain loop, and against the truth it should cover."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench.cases import RANKED, Ranks, measure
from semtok.bench.intervals import Resampled, resample


def of(ranks, clusters=None):
    ranks = np.asarray(ranks, np.int64)
    count = ranks.shape[1]
    return Ranks(
        ranks=ranks,
        case_ids=np.arange(count),
        clusters=np.arange(count) if clusters is None else np.asarray(clusters),
        candidates=np.full(count, 1000),
        answers=np.ones(count, np.int64),
        truths=None,
        seeds=tuple(range(len(ranks))),
    )


@pytest.fixture(scope="module")
def pair():
    random = np.random.default_rng(0)
    skill = random.normal(3, 1, 300)
    return [
        of(np.exp(skill + random.normal(shift, 0.7, 300)).astype(np.int64)[None] + 1)
        for shift in (-0.4, 0.0)
    ]


@pytest.mark.parametrize(
    ("metric", "statistic", "tolerance"),
    [
        ("R@5", lambda ranks, axis: 100 * (ranks <= 5).mean(axis=axis), 0.7),
        ("R@10", lambda ranks, axis: 100 * (ranks <= 10).mean(axis=axis), 0.7),
        ("median_rank", lambda ranks, axis: np.median(ranks, axis=axis), 1.01),
    ],
)
def test_intervals_are_those_of_scipy(pair, metric, statistic, tolerance):
    ours, baseline = (each[metric] for each in resample(pair, 6000))
    data = tuple(each.ranks[0] for each in pair)
    settings = {"method": "percentile", "n_resamples": 6000, "rng": 1, "batch": 500}

    def difference(one, other, axis):
        return statistic(one, axis) - statistic(other, axis)

    for found, expected in (
        (ours.interval(0.95), scipy.stats.bootstrap(data[:1], statistic, **settings)),
        (
            ours.difference(baseline, 0.95),
            scipy.stats.bootstrap(data, difference, paired=True, **settings),
        ),
    ):
        ends = expected.confidence_interval
        assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=tolerance)
    assert ours.estimate == statistic(data[0], 0)


def test_replicates_are_the_metrics_of_resampled_clusters():
    """Every replicate must be found again by taking whole clusters, one after the other."""
    random = np.random.default_rng(3)
    variant = of(random.integers(1, 20, (1, 30)), clusters=random.integers(0, 4, 30))
    found = np.stack([resample([variant], 200)[0][metric].replicates for metric in RANKED], axis=1)
    members = [np.flatnonzero(variant.clusters == cluster) for cluster in range(4)]
    possible = {
        tuple(measure(variant.ranks[:, np.concatenate([members[c] for c in drawn])])[0].round(9))
        for drawn in np.ndindex(4, 4, 4, 4)
    }
    assert {tuple(row.round(9)) for row in found} <= possible


@pytest.mark.parametrize("cases", [1, 31, 32, 33, 500])
def test_a_replicate_is_of_the_cases_that_its_draw_has(cases):
    """One by one, and with the stream of random numbers that published intervals rest on."""
    random = np.random.default_rng(cases)
    clusters = np.unique(random.integers(0, 40, cases), return_inverse=True)[1]
    variant = of(random.geometric(0.02, (2, cases)), clusters)
    count = int(clusters.max()) + 1
    images = np.random.default_rng([7, 0, 3]).integers(0, count, (50, count))
    seeds = np.random.default_rng([7, 1, 0]).integers(0, 2, 50)
    [found] = resample([variant], 50, seed=7, test=3)
    for number, (drawn, seed) in enumerate(zip(images, seeds, strict=True)):
        members = np.concatenate([np.flatnonzero(clusters == each) for each in drawn])
        wanted = measure(variant.ranks[[seed]][:, members])[0]
        assert [found[metric].replicates[number] for metric in RANKED] == pytest.approx(wanted)


def test_replicates_of_a_macro_average_are_means_of_the_groups_that_were_drawn():
    random = np.random.default_rng(4)
    variant = of(random.integers(1, 4, (1, 30)), clusters=random.integers(0, 4, 30))
    groups = (variant.clusters // 2 + 2 * random.integers(0, 2, 30)) % 3
    found = resample([replace(variant, groups=groups)], 300)[0]["R@1"]
    possible = set()
    for drawn in np.ndindex(4, 4, 4, 4):
        cases = np.concatenate([np.flatnonzero(variant.clusters == each) for each in drawn])
        hits = [variant.ranks[0, cases[groups[cases] == each]] == 1 for each in range(3)]
        possible.add(round(float(np.mean([100 * each.mean() for each in hits if len(each)])), 9))
    assert set(found.replicates.round(9).tolist()) <= possible
    assert len(set(found.replicates.tolist())) > 10
    hits = [variant.ranks[0, groups == each] == 1 for each in range(3)]
    assert found.estimate == pytest.approx(np.mean([100 * each.mean() for each in hits]))


def valued(values, clusters=None, groups=None):
    values = np.asarray(values, np.float64)
    nothing = np.empty(0, np.int64)
    empty = of(np.empty((len(values), 0)))
    count = values.shape[1]
    return replace(
        empty,
        case_ids=np.arange(count),
        clusters=np.arange(count) if clusters is None else clusters,
        candidates=nothing,
        answers=nothing,
        values=values,
        groups=groups,
    )


def test_intervals_of_values_are_those_of_scipy():
    random = np.random.default_rng(5)
    one, other = random.normal((3.0, 1.0), (20.0, 5.0), (300, 2)).T
    ours, theirs = (each["mean"] for each in resample([valued([one]), valued([other])], 6000))
    settings = {"method": "percentile", "n_resamples": 6000, "rng": 1, "paired": True}
    wanted = scipy.stats.bootstrap(
        (one, other), lambda a, b, axis: a.mean(axis) - b.mean(axis), **settings
    ).confidence_interval
    found = ours.difference(theirs, 0.95)
    assert found.estimate == pytest.approx(one.mean() - other.mean())
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.15)


def test_replicates_of_values_are_means_of_the_groups_that_were_drawn():
    random = np.random.default_rng(6)
    values, clusters = random.normal(size=(2, 30)), random.integers(0, 4, 30)
    groups = random.integers(0, 2, 30)
    variant = valued(values, clusters, groups)
    assert list(resample([variant], 5)[0]) == ["mean"]
    found = resample([replace(variant, loss=True)], 300)[0]["mean_loss"]
    possible = []
    for drawn in np.ndindex(4, 4, 4, 4):
        cases = np.concatenate([np.flatnonzero(clusters == each) for each in drawn])
        # One of two seeds is drawn at a time.
        possible += [
            np.mean([own[cases[groups[cases] == each]].mean() for each in range(2)])
            for own in values
        ]
    assert np.abs(found.replicates[:, None] - possible).min(axis=1).max() < 1e-12
    assert len(set(found.replicates.round(9).tolist())) > 10


def test_the_median_of_an_even_number_lies_between_the_middle_two():
    variant = of([[1, 4]], clusters=[0, 0])
    assert set(resample([variant], 10)[0]["median_rank"].replicates) == {2.5}


def test_the_block_does_not_change_the_result(pair):
    one, other = (resample(pair, 100, block=block)[1] for block in (1, 2**26))
    for metric in RANKED:
        assert (one[metric].replicates == other[metric].replicates).all()


def test_the_same_seed_gives_the_same_interval(pair):
    drawn = [resample(pair, 50, seed)[0]["R@10"].replicates for seed in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_a_variant_does_not_differ_from_itself(pair):
    one, other = (each["R@10"] for each in resample([pair[0], pair[0]], 100))
    assert one.difference(other, 0.95).low == one.difference(other, 0.95).high == 0


def test_the_p_value_is_that_of_a_paired_t_test():
    """Of 400 images the mean is nearly normal, so that two ways to the same question agree."""
    for trial, shift in enumerate((0.0, 0.02, 0.05, 0.08, -0.06)):
        random = np.random.default_rng(trial)
        draw = random.random(400)
        hits = [draw + random.normal(0, 0.2, 400) < 0.5 + each for each in (shift, 0.0)]
        ours, baseline = (
            each["R@1"] for each in resample([of(np.where(hit, 1, 5)[None]) for hit in hits], 4000)
        )
        expected = scipy.stats.ttest_rel(*(hit.astype(float) for hit in hits)).pvalue
        assert ours.p_value(baseline) == pytest.approx(expected, abs=0.04)


@given(
    st.lists(st.integers(-3, 9), min_size=2, max_size=400),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_a_small_p_value_belongs_to_an_interval_that_leaves_0_out(points, confidence):
    ours, nothing = (
        Resampled(float(np.mean(each)), np.array(each, float))
        for each in (points, [0] * len(points))
    )
    interval = ours.difference(nothing, confidence)
    p = ours.p_value(nothing)
    assert 0 < p <= 1
    assert p == nothing.p_value(ours)  # two-sided
    if p <= 1 - confidence:
        assert interval.low > 0 or interval.high < 0
    elif interval.low > 0 or interval.high < 0:
        # The interval's end is a replicate, and the p-value counts the estimate as one more.
        assert p <= 1 - confidence + 2 / (1 + len(points))


def test_rounding_is_no_difference():
    """0.1 + 0.2 and 0.3 are the same number of hits."""
    one, other = (Resampled(value, np.full(100, value)) for value in (0.1 + 0.2, 0.3))
    assert one.p_value(other) == 1
    assert one.difference(other, 0.95).low == 0


def test_clusters_widen_an_interval_of_cases_that_agree():
    ranks = np.random.default_rng(0).choice([1, 100], 80).repeat(5)[None]
    alone, clustered = (
        resample([of(ranks, clusters)], 500)[0]["R@1"].interval(0.95)
        for clusters in (None, np.arange(80).repeat(5))
    )
    width = (alone.high - alone.low) * np.sqrt(5)
    assert clustered.high - clustered.low == pytest.approx(width, rel=0.15)


def test_seeds_that_differ_widen_an_interval():
    """Two seeds that find everything and two that find nothing: the images are not the doubt."""
    ranks = np.array([[1], [1], [50], [50]]).repeat(100, axis=1)
    found = resample([of(ranks)], 500)[0]["R@1"]
    assert found.estimate == 50
    assert set(found.replicates.round(6)) == {0, 33.333333, 66.666667, 100}  # three of four drawn


def test_seeds_are_drawn_for_each_variant_on_its_own():
    ranks = np.array([[1], [50], [50], [50]]).repeat(10, axis=1)
    one, other = (each["R@1"] for each in resample([of(ranks), of(ranks)], 200))
    assert np.corrcoef(one.replicates, other.replicates)[0, 1] == pytest.approx(0, abs=0.2)


def test_relative_gain_is_the_ratio_of_paired_replicates(pair):
    ours, baseline = (each["R@10"] for each in resample(pair, 500))
    gain = ours.relative(baseline, 0.9)
    ratios = np.sort(100 * (ours.replicates / baseline.replicates - 1))
    assert gain.estimate == pytest.approx(100 * (ours.estimate / baseline.estimate - 1))
    assert (gain.low, gain.high) == pytest.approx((ratios[24], ratios[475]))


def test_a_gain_over_nothing_is_unbounded():
    some, none = resample([of([[1, 50]]), of([[50, 50]])], 100)
    assert some["R@1"].relative(none["R@1"], 0.95).estimate is None
    assert some["R@1"].relative(none["R@1"], 0.95).high is None
    assert none["R@1"].relative(none["R@1"], 0.95).high == 0


@pytest.mark.parametrize("seeds", [1, 5])
def test_intervals_cover_the_truth(seeds):
    """Difference of two variants whose hit rates per image, and per seed, are drawn anew."""
    covered, trials = 0, 200
    for trial in range(trials):
        random = np.random.default_rng(trial)
        image = random.normal(0, 0.1, (1, 60)).repeat(5, axis=1)
        variants = []
        for rate in (0.5, 0.4):
            seed = random.normal(0, 0.03, (seeds, 1)) * (seeds > 1)
            hit = random.random((seeds, 300)) < rate + image + seed
            variants.append(of(np.where(hit, 1, 50), clusters=np.arange(60).repeat(5)))
        ours, baseline = (each["R@1"] for each in resample(variants, 200, trial))
        interval = ours.difference(baseline, 0.9)
        covered += interval.low <= 10 <= interval.high
    # 0.1 % bound of a fair 90 %; with several seeds the interval is known to be on the wide side.
    assert covered >= scipy.stats.binom.ppf(0.001, trials, 0.9)
    if seeds == 1:
        assert covered <= scipy.stats.binom.ppf(0.999, trials, 0.9)
