"""Make a variant the champion if it beats the reigning one; say what was decided and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from semtok.bench import protocol
from semtok.bench.cases import check_same_cases
from semtok.bench.intervals import Interval, Resampled, resample
from semtok.errors import SemtokError
from semtok.params import BenchSettings
from semtok.tracking import contender, registry, server
from semtok.tracking.contender import CHOICE, METRIC, Contender
from semtok.tracking.training import DATA_HASH

#: Tag of the candidate's version: the last decision about it, for people.
DECISION = "promotion"


@dataclass(frozen=True)
class Decision:
    """What `promote` decided.

    Attributes:
        champion: the champion from now on, e.g. `semantic, version 3`.
        promoted: whether that is new.
        reason: one sentence.
        points: split -> candidate minus champion, in points; empty where nothing was compared.
        label: `smoke run (...)` where no claim may rest on it, else empty.
        page: where MLflow shows the two side by side.
    """

    model: str
    champion: str
    promoted: bool
    reason: str
    points: dict[str, Interval]
    label: str
    page: str

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def promote(data: str, variant: str, bench: BenchSettings, address: str | None = None) -> Decision:
    """Compare a variant with the champion, and move the alias if it is better.

    While no version bears the alias, the baseline stands in for the champion. Better means that the
    paired interval of the difference on val lies above 0; test is reported and decides nothing.

    Args:
        data: name of the data set.
        variant: the candidate; its newest versions count.
        bench: baseline, resamples and confidence.
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, candidate or baseline is not registered or not
            scored, or they were trained or scored on different data or by different protocols.
    """
    address = address or server.address()
    client = server.client(address)
    with server.talking_to(address):
        candidate = contender.newest(client, data, variant)
        reigning = contender.reigning(client, data)
        champion = reigning or contender.newest(client, data, bench.baseline)
        old, new = champion.best, candidate.best
        points: dict[str, Interval] = {}
        label = ""
        if candidate.recipe != champion.recipe:
            _check_comparable(candidate, champion)
            points = _points(candidate, champion, bench)
            label = protocol.label(min(len(candidate.versions), len(champion.versions)))
        low = points[CHOICE].low if points else None
        promoted = low is not None and low > 0
        winner = candidate if promoted else champion
        name = registry.model_name(data)
        if promoted or reigning is None:
            client.set_registered_model_alias(name, registry.CHAMPION, winner.best.version)
        reason = _reason(candidate, champion, reigning is None, promoted, points, bench.confidence)
        client.set_model_version_tag(name, new.version, DECISION, reason)
    return Decision(
        model=name,
        champion=winner.name,
        promoted=promoted,
        reason=reason,
        points=points,
        label=label,
        page=registry.comparison_page(address, data, [old, new]),
    )


def _check_comparable(candidate: Contender, champion: Contender) -> None:
    for tag, what in ((DATA_HASH, "data"), (registry.PROTOCOL, "scores of different protocols")):
        one, other = candidate.best.tags[tag], champion.best.tags[tag]
        if one != other:
            raise SemtokError(
                f"{candidate.name} and {champion.name}: different {what} ({one} and {other}) are "
                f"never ranked against each other; train, score and sync {champion.variant} anew, "
                "or remove the alias champion in MLflow to start again from the baseline"
            )


def _points(candidate: Contender, champion: Contender, bench: BenchSettings) -> dict[str, Interval]:
    """Split -> candidate minus champion: R@1 in points, mean of both directions, paired."""
    check_same_cases({champion.name: champion.tasks, candidate.name: candidate.tasks})
    found = {}
    for split in bench.splits:
        drawn = [
            resample([candidate.tasks[task], champion.tasks[task]], bench.bootstrap)
            for task in candidate.tasks
            if task.split == split
        ]
        # Resample b holds the same images for both directions.
        ours, theirs = (_mean([each[number][METRIC] for each in drawn]) for number in (0, 1))
        found[split] = ours.difference(theirs, bench.confidence)
    return found


def _mean(parts: Sequence[Resampled]) -> Resampled:
    return Resampled(
        estimate=fmean(each.estimate for each in parts),
        replicates=np.mean([each.replicates for each in parts], axis=0),
    )


def _reason(
    candidate: Contender,
    champion: Contender,
    vacant: bool,
    promoted: bool,
    points: Mapping[str, Interval],
    confidence: float,
) -> str:
    if not points:
        if vacant:
            return f"{candidate.name} becomes champion: it is the baseline, and there was none"
        return f"{candidate.name} is the champion already"
    measured = "; ".join(
        f"on {split} {each.estimate:+.2f} points ({confidence:.0%} interval {each.low:+.2f} to "
        f"{each.high:+.2f})"
        for split, each in points.items()
    )
    below = f"the interval of {candidate.name} on {CHOICE} does not lie above 0"
    if promoted:
        verdict = (
            f"{candidate.name} becomes champion in place of {champion.name}: "
            f"its interval on {CHOICE} lies above 0"
        )
    elif vacant:
        verdict = f"{champion.name}, the baseline, becomes champion: {below}"
    else:
        verdict = f"{champion.name} stays champion: {below}"
    return f"{verdict}. {candidate.variant} minus {champion.variant}, mean R@1: {measured}"
