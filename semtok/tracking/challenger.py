"""The challenger: the best of those that may be ranked with the champion and are not it."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from semtok.bench.cases import higher_is_better
from semtok.tracking import registry
from semtok.tracking.contender import CHOICE, Score, faults, is_whole, trained_alike
from semtok.tracking.training import DATA_HASH, RECIPE, VARIANT
from semtok.tracking.upload import score_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def appoint(
    client: "MlflowClient", data: str, champion: "ModelVersion", metric: Sequence[Score]
) -> "ModelVersion | None":
    """Let the alias `challenger` name the best of the rest; without any it goes.

    The rest: of each variant the newest trainings by another recipe than the champion's, on the
    same data, by the same protocol, uploaded to their end, scored, and let through by every gate.
    The best: by the mean over seeds on val; of its seeds the best one bears the alias.

    Args:
        champion: who bears that alias now.
        metric: of several scores the mean counts.

    Returns:
        The version, or None.
    """
    found = _best_of_the_rest(client, data, champion, metric)
    name = registry.model_name(data)
    if found:
        client.set_registered_model_alias(name, registry.CHALLENGER, found.version)
    elif registry.aliased(client, data, registry.CHALLENGER):
        client.delete_registered_model_alias(name, registry.CHALLENGER)
    return found


def _best_of_the_rest(
    client: "MlflowClient", data: str, champion: "ModelVersion", metric: Sequence[Score]
) -> "ModelVersion | None":
    same = {tag: champion.tags[tag] for tag in (DATA_HASH, registry.PROTOCOL)}
    newest: dict[str, ModelVersion] = {}
    for each in registry.versions(client, data, same):
        if each.tags[RECIPE] != champion.tags[RECIPE]:
            newest.setdefault(each.tags[VARIANT], each)
    sign = 1 if higher_is_better(metric[0].metric) else -1
    ranked = []
    for each in newest.values():
        alike = trained_alike(client, data, each)
        values = [(_value(client, seed, metric), seed) for seed in alike]
        of_seeds = [(sign * value, seed) for value, seed in values if value is not None]
        if of_seeds:
            best = max(of_seeds, key=lambda pair: pair[0])[1]
            ranked.append((fmean(value for value, _ in of_seeds), best, alike))
    ranked.sort(key=lambda each: (-each[0], int(each[1].version)))
    return next(
        (best for _, best, alike in ranked if is_whole(client, alike) and not faults(client, best)),
        None,
    )


def _value(
    client: "MlflowClient", version: "ModelVersion", metric: Sequence[Score]
) -> float | None:
    """A version's mean of some scores on val, as its run holds them; None where one is missing."""
    logged = client.get_run(str(version.run_id)).data.metrics
    names = [score_name(each.benchmark, CHOICE, each.task, each.metric) for each in metric]
    return fmean(logged[name] for name in names) if set(names) <= set(logged) else None
