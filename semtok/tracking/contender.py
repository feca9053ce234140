"""Who may be champion: the versions of one variant that were trained alike, with their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from semtok.bench import cases
from semtok.bench.cases import CASES, METRICS, Ranks, Task, by_task, higher_is_better
from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.tracking import registry
from semtok.tracking.lineage import PASSED, read_json
from semtok.tracking.training import RECIPE, SEED, UPLOADED, VARIANT
from semtok.workspace import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

#: The split that models are chosen on.
CHOICE = "val"


class Score(NamedTuple):
    """One number of a benchmark's task, on whatever split."""

    benchmark: str
    task: str
    metric: str

    @classmethod
    def named(cls, name: str) -> "Score":
        """The score of a name like `retrieval/text_to_image/R@1`; a task's part has a `/` itself.

        Raises:
            SemtokError: there is no such metric.
        """
        benchmark, _, rest = name.partition("/")
        task, _, metric = rest.rpartition("/")
        if metric not in METRICS:
            raise SemtokError(
                f"params.yaml: promotion: {name}: no metric {metric!r}; there are "
                f"{', '.join(METRICS)}"
            )
        return cls(benchmark, task, metric)

    def on(self, split: str) -> Task:
        """The task that it is of."""
        return Task(self.benchmark, split, self.task)


@dataclass(frozen=True)
class Contender:
    """One variant's trainings by one recipe.

    Attributes:
        versions: one a seed, by seed.
        best: the one that bears the alias or would: of a new one the best seed on val.
        tasks: the scores of all seeds.
        scored: version -> digest of its scores.
        faults: of its lineage, what its gates did not let through; empty: all checks passed.
    """

    versions: tuple["ModelVersion", ...]
    best: "ModelVersion"
    tasks: Mapping[Task, Ranks]
    scored: Mapping[str, str]
    faults: tuple[str, ...]

    @property
    def variant(self) -> str:
        """The variant's name."""
        return str(self.best.tags[VARIANT])

    @property
    def recipe(self) -> str:
        """What its trainings have in common."""
        return str(self.best.tags[RECIPE])

    @property
    def name(self) -> str:
        """For people."""
        return name_of(self.best)


def name_of(version: "ModelVersion") -> str:
    """A version for people, e.g. `semantic version 3`."""
    return f"{version.tags[VARIANT]} version {version.version}"


def newest(client: "MlflowClient", data: str, variant: str, metric: tuple[Score, ...]) -> Contender:
    """The newest versions of a variant.

    Args:
        metric: of which the best seed has the best mean on val.

    Raises:
        SemtokError: it is not registered, not scored, or not uploaded to its end.
    """
    found = registry.versions(client, data, {VARIANT: variant})
    if not found:
        raise SemtokError(
            f"{variant}: no version of {registry.model_name(data)} in MLflow; run `semtok sync`"
        )
    return _contender(client, data, found[0], metric, reigns=False)


def reigning(client: "MlflowClient", data: str, metric: tuple[Score, ...]) -> Contender | None:
    """The champion and its siblings; None while there is none.

    Raises:
        SemtokError: its scores are gone, or it is not uploaded to its end.
    """
    champion = registry.champion(client, data)
    return _contender(client, data, champion, metric, reigns=True) if champion else None


def of(client: "MlflowClient", data: str, version: "ModelVersion") -> Contender:
    """A version with its siblings.

    Raises:
        SemtokError: one has no scores, or is not uploaded to its end, or their seeds are others
            by now.
    """
    found = _contender(client, data, version, (), reigns=True)
    if version.version not in (there := [each.version for each in found.versions]):
        raise SemtokError(
            f"{name_of(version)}: its recipe was uploaded without it since; there is version "
            f"{', '.join(there)}"
        )
    return found


def trained_alike(
    client: "MlflowClient", data: str, version: "ModelVersion"
) -> tuple["ModelVersion", ...]:
    """A version and the others of its recipe: of each seed the one uploaded last, by seed.

    Seeds that `train.seeds` had no longer when the last of them was uploaded are left out.
    """
    found = registry.versions(client, data, {RECIPE: version.tags[RECIPE]})
    by_seed = {int(each.tags[SEED]): each for each in reversed(found)}
    asked = _seeds(found[0], _lineage(client, found[0]))
    return tuple(by_seed[seed] for seed in sorted(by_seed.keys() & asked))


def is_whole(client: "MlflowClient", alike: Sequence["ModelVersion"]) -> bool:
    """Whether `semtok sync` came to its end with trainings alike, which it uploads one by one.

    Each holds the lineage of their artifact, and that names the seeds.
    """
    uploaded = [client.get_run(str(each.run_id)).data.tags.get(UPLOADED) for each in alike]
    first, *others = (_lineage(client, each) for each in alike)
    seeds = {int(each.tags[SEED]) for each in alike}
    return (
        all(uploaded) and all(each == first for each in others) and seeds == _seeds(alike[0], first)
    )


def faults(client: "MlflowClient", version: "ModelVersion") -> list[str]:
    """What the gates of a version's lineage did not let through, as recorded when it was uploaded.

    Returns:
        A line an artifact; empty: all data checks passed.
    """
    traced = _lineage(client, version)
    if not traced:
        return [f"{name_of(version)}: has no lineage; run `semtok sync`"]
    unrecorded = "has no verdict on record; run `semtok sync`"
    gates = {key: each.get("gate") for key, each in traced["artifacts"].items()}
    found = [f"{key} {gate or unrecorded}" for key, gate in gates.items() if gate != PASSED]
    # Its run may hold scores that were gone or out of date when the lineage was uploaded.
    if (scores := f"scores@{version.tags[VARIANT]}") not in gates:
        found.append(f"{scores} is not in the lineage; run it and `semtok sync`")
    return found


def _contender(
    client: "MlflowClient",
    data: str,
    version: "ModelVersion",
    metric: tuple[Score, ...],
    reigns: bool,
) -> Contender:
    versions = trained_alike(client, data, version)
    if not is_whole(client, versions):
        raise SemtokError(
            f"{name_of(version)}: not all trainings of its recipe are uploaded to their end; run "
            "`semtok sync` where they were trained"
        )
    scored, tables = {}, []
    for each in versions:
        table, scored[each.version] = _cases(client, each)
        tables.append(table)
    tasks = by_task(pa.concat_tables(tables))
    found = Contender(
        versions=versions,
        best=version,
        tasks=tasks,
        scored=scored,
        faults=tuple(sorted(faults(client, versions[0]))),
    )
    if reigns:
        return found
    values = np.mean([_by_seed(found, each) for each in metric], axis=0)
    place = values.argmax() if higher_is_better(metric[0].metric) else values.argmin()
    return Contender(versions, versions[int(place)], tasks, scored, found.faults)


def ranks_of(contender: Contender, score: Score, split: str) -> Ranks:
    """The cases that a score is computed from.

    Raises:
        SemtokError: there are none.
    """
    task = score.on(split)
    if task not in contender.tasks:
        raise SemtokError(
            f"{contender.name}: no scores of {' '.join(task)}; name them in params.yaml: bench and "
            f"run scores@{contender.variant} and `semtok sync`, or, where it cannot be asked, take "
            "them out of promotion"
        )
    ranks = contender.tasks[task]
    if score.metric not in cases.measured(ranks):
        raise SemtokError(
            f"{contender.name}: {' '.join(task)} has no {score.metric}; it has "
            f"{', '.join(cases.measured(ranks))}: correct params.yaml: promotion"
        )
    return ranks


def _by_seed(contender: Contender, score: Score) -> np.ndarray:
    ranks = ranks_of(contender, score, CHOICE)
    return cases.values(ranks)[:, cases.measured(ranks).index(score.metric)]


def _cases(client: "MlflowClient", version: "ModelVersion") -> tuple[pa.Table, str]:
    """The cases of a version, and the digest of their file."""
    run_id = str(version.run_id)
    if not _has(client, run_id, registry.CASES):
        raise SemtokError(
            f"{name_of(version)}: has no scores; run scores@{version.tags[VARIANT]}, "
            "then `semtok sync`"
        )
    registry.check_protocol(name_of(version), version.tags)
    with TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(run_id, registry.CASES, folder))
        return read_table(path, CASES), digest(path)


def _lineage(client: "MlflowClient", version: "ModelVersion") -> dict[str, Any]:
    """What a version was made from, as recorded when it was uploaded; empty: nothing was."""
    run_id = str(version.run_id)
    if not _has(client, run_id, registry.LINEAGE):
        return {}
    with TemporaryDirectory() as folder:
        return read_json(Path(client.download_artifacts(run_id, registry.LINEAGE, folder)))


def _seeds(version: "ModelVersion", lineage: Mapping[str, Any]) -> set[int]:
    """Those that a version's artifact was asked for."""
    if not lineage:
        return {int(version.tags[SEED])}
    made = lineage["artifacts"][f"checkpoint@{version.tags[VARIANT]}"]
    return set(made["params"]["train"]["seeds"])


def _has(client: "MlflowClient", run_id: str, artifact: str) -> bool:
    return any(each.path == artifact for each in client.list_artifacts(run_id))
