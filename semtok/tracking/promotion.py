"""Make a variant the champion if every rule lets it through; say what was decided and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from semtok.bench import protocol
from semtok.bench.intervals import Interval
from semtok.errors import SemtokError
from semtok.params import BenchSettings, PromotionSettings
from semtok.tracking import contender, registry, rules, server
from semtok.tracking.contender import CHOICE, Contender, Score
from semtok.tracking.decisions import PROMOTION, Decision, Move
from semtok.tracking.rules import Rule
from semtok.tracking.settling import Settled, settle
from semtok.tracking.training import CHECKPOINT, DATA_HASH, SEED


def promote(
    data: str,
    variant: str,
    bench: BenchSettings,
    settings: PromotionSettings,
    address: str | None = None,
) -> Settled:
    """Put a variant to the rules, and let the alias `champion` name it if it passes them all.

    While no version bears the alias, the baseline stands in for the champion, and takes the place
    if the candidate does not. Neither does with data checks that failed.

    Args:
        data: name of the data set.
        variant: the candidate; its newest versions count.
        bench: baseline, splits, resamples and confidence.
        settings: the rules.
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, candidate or baseline is not registered or not
            scored, or they were trained or scored on different data or by different protocols.
    """
    address = address or server.address()
    client = server.client(address)
    metric = tuple(map(Score.named, settings.metric))
    with server.talking_to(address):
        candidate = contender.newest(client, data, variant, metric)
        reigning = contender.reigning(client, data, metric)
        champion = reigning or contender.newest(client, data, bench.baseline, metric)
        decision = _decide(candidate, champion, reigning is None, bench, settings)
        return settle(client, address, data, decision, metric)


def _decide(
    candidate: Contender,
    champion: Contender,
    vacant: bool,
    bench: BenchSettings,
    settings: PromotionSettings,
) -> Decision:
    """Put a candidate to the rules.

    Args:
        champion: who reigns, or where nobody does (`vacant`) the baseline.
    """
    judged: Sequence[Rule] = ()
    points: Mapping[str, Interval] = {}
    label = ""
    if candidate.recipe != champion.recipe:
        _check_comparable(candidate, champion)
        judged = rules.judge(candidate, champion, bench, settings)
        points = rules.points(candidate, champion, bench, settings)
        label = protocol.label(min(len(candidate.versions), len(champion.versions)))
    elif vacant:
        judged = [rules.data_checks(candidate)]
    winner: Contender | None = champion
    if judged and all(each.passed for each in judged):
        winner = candidate
    elif vacant and champion.faults:
        winner = None
    return Decision(
        move=Move(
            PROMOTION,
            None if vacant else champion.best.version,
            winner.best.version if winner else None,
        ),
        about=candidate.best,
        beside=champion.best,
        reason=_reason(candidate, champion, winner, vacant, judged)
        + _measured(candidate, champion, points, bench.confidence),
        inputs={
            "settings": asdict(settings),
            "splits": bench.splits,
            "resamples": bench.bootstrap,
            "confidence": bench.confidence,
            "candidate": _inputs(candidate),
            "champion": _inputs(champion),
        },
        rules=tuple(judged),
        points=points,
        label=label,
    )


def _check_comparable(candidate: Contender, champion: Contender) -> None:
    one, other = (each.best.tags[DATA_HASH] for each in (candidate, champion))
    if one != other:
        raise SemtokError(
            f"{candidate.name} and {champion.name}: different data ({one} and {other}) are "
            f"never ranked against each other; train, score and sync {champion.variant} anew, "
            "or remove the alias champion in MLflow to start again from the baseline"
        )


def _inputs(found: Contender) -> dict[str, Any]:
    """What a decision rests on: each training by its checkpoint, with its scores."""
    return {
        "variant": found.variant,
        "recipe": found.recipe,
        DATA_HASH: found.best.tags[DATA_HASH],
        registry.PROTOCOL: found.best.tags[registry.PROTOCOL],
        "trainings": [
            {
                "version": each.version,
                "seed": each.tags[SEED],
                "run": each.run_id,
                CHECKPOINT: each.tags.get(CHECKPOINT),
                "cases": found.scored[each.version],
            }
            for each in found.versions
        ],
    }


def _reason(
    candidate: Contender,
    champion: Contender,
    winner: Contender | None,
    vacant: bool,
    judged: Sequence[Rule],
) -> str:
    if not judged:
        return f"{candidate.name} is the champion already"
    held = f"{candidate.name} is held back by " + "; ".join(
        _broken(each) for each in judged if not each.passed
    )
    if winner is candidate:
        baseline = candidate.recipe == champion.recipe
        return f"{candidate.name} becomes champion " + (
            "as it is the baseline, and there was none"
            if baseline
            else f"in place of {champion.name}: it passed every rule"
        )
    if winner is None:
        red = f"; so is {champion.name}, the baseline" if champion is not candidate else ""
        return f"there is no champion: {held}{red}"
    if vacant:
        return f"{champion.name}, the baseline, becomes champion: {held}"
    return f"{champion.name} stays champion: {held}"


def _broken(rule: Rule) -> str:
    if rule.limit is None:
        return f"{rule.name}: {rule.found}"
    what = "lie above" if rule.name == rules.GAIN else "not reach below"
    return f"{rule.name}: {rule.found}, which must {what} {rule.limit:+.2f} on {CHOICE}"


def _measured(
    candidate: Contender,
    champion: Contender,
    points: Mapping[str, Interval],
    confidence: float,
) -> str:
    if not points:
        return ""
    each = "; ".join(f"on {split} {rules.told(x, confidence)}" for split, x in points.items())
    return f". {candidate.variant} over {champion.variant}: {each}"
