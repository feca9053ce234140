"""The rules that a candidate has to pass to become champion; each is judged whatever the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from semtok.bench.cases import check_same_cases, higher_is_better
from semtok.bench.intervals import Interval, Resampled, resample
from semtok.params import BenchSettings, PromotionSettings
from semtok.tracking.contender import CHOICE, Contender, Score, ranks_of

GAIN, DATA_CHECKS = "gain", "data checks"


@dataclass(frozen=True)
class Rule:
    """What one rule found.

    Attributes:
        name: `gain`, `data checks`, or `guard` and the score that it guards.
        passed: whether it lets the candidate through.
        found: in words.
        gain: by how much the candidate is better on val, in the metric's own unit, paired; None
            of data checks.
        limit: where the interval of the gain must lie above (`gain`) or not reach below (a guard);
            None of data checks.
    """

    name: str
    passed: bool
    found: str
    gain: Interval | None = None
    limit: float | None = None


def judge(
    candidate: Contender, champion: Contender, bench: BenchSettings, settings: PromotionSettings
) -> list[Rule]:
    """Put a candidate to every rule.

    A gain is claimed, and the absence of a fall as well: both by the lower end of the paired
    interval, so that what too few cases cannot tell speaks against the candidate.

    Raises:
        SemtokError: a score is missing, or they were scored on different cases.
    """
    names = tuple(map(Score.named, settings.metric))
    gain = _gain(candidate, champion, names, CHOICE, bench)
    limit = settings.minimum_gain
    judged = [Rule(GAIN, _above(gain, limit), told(gain, bench.confidence), gain, limit)]
    for name, allowance in settings.guards.items():
        found = _gain(candidate, champion, (Score.named(name),), CHOICE, bench)
        passed = found.low is not None and found.low >= -allowance
        words = told(found, bench.confidence)
        judged.append(Rule(f"guard {name}", passed, words, found, -allowance))
    return [*judged, data_checks(candidate)]


def data_checks(contender: Contender) -> Rule:
    """Whether the gates let through all that a contender was made from."""
    faults = contender.faults
    return Rule(DATA_CHECKS, not faults, "; ".join(faults) or "every gate of the lineage passed")


def points(
    candidate: Contender, champion: Contender, bench: BenchSettings, settings: PromotionSettings
) -> dict[str, Interval]:
    """Split -> gain in the stated metric; what is not on val decides nothing."""
    metric = tuple(map(Score.named, settings.metric))
    return {split: _gain(candidate, champion, metric, split, bench) for split in bench.splits}


def _gain(
    candidate: Contender,
    champion: Contender,
    scores: Sequence[Score],
    split: str,
    bench: BenchSettings,
) -> Interval:
    """By how much a candidate is better: the mean over some scores of one metric, paired.

    Raises:
        SemtokError: a score is missing, or they were scored on different cases.
    """
    ours, theirs = (
        {each.on(split): ranks_of(contender, each, split) for each in scores}
        for contender in (candidate, champion)
    )
    check_same_cases({champion.name: theirs, candidate.name: ours})
    # Resample b holds the same images for all scores.
    drawn = {
        each: resample([ours[each.on(split)], theirs[each.on(split)]], bench.bootstrap)
        for each in scores
    }
    new, old = (_mean([drawn[each][side][each.metric] for each in scores]) for side in (0, 1))
    if not higher_is_better(scores[0].metric):
        new, old = old, new
    return new.difference(old, bench.confidence)


def _mean(parts: Sequence[Resampled]) -> Resampled:
    return Resampled(
        estimate=fmean(each.estimate for each in parts),
        replicates=np.mean([each.replicates for each in parts], axis=0),
    )


def _above(gain: Interval, limit: float) -> bool:
    return gain.low is not None and gain.low > limit


def told(gain: Interval, confidence: float) -> str:
    """A gain for people."""
    interval = f"{confidence:.0%} interval {gain.low:+.2f} to {gain.high:+.2f}"
    return f"{gain.estimate:+.2f} points ({interval})"
