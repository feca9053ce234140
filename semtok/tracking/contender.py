"""Who may be champion: the versions of one variant that were trained alike, with their scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from semtok.bench.cases import CASES, RECALLS, Ranks, Task, by_task
from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.tracking import registry
from semtok.tracking.training import RECIPE, SEED, VARIANT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

#: What decides: R@1 of retrieval, mean of both directions, on the split that models are chosen on.
#: Paired, as every data set has that; any-true retrieval would count the same captions again.
BENCHMARK, DIRECTIONS = "retrieval", ("image_to_text", "text_to_image")
METRIC, CHOICE = "R@1", "val"


@dataclass(frozen=True)
class Contender:
    """One variant's trainings by one recipe.

    Attributes:
        versions: one a seed, by seed.
        best: the one with the highest metric on val, which the alias names if it wins.
        tasks: the scores of all seeds.
    """

    versions: tuple["ModelVersion", ...]
    best: "ModelVersion"
    tasks: Mapping[Task, Ranks]

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
        return f"{self.variant} version {self.best.version}"


def newest(client: "MlflowClient", data: str, variant: str) -> Contender:
    """The newest versions of a variant.

    Raises:
        SemtokError: it is not registered, or not scored.
    """
    found = list(registry.versions(client, data, {VARIANT: variant}))
    if not found:
        raise SemtokError(
            f"{variant}: no version of {registry.model_name(data)} in MLflow; run `semtok sync`"
        )
    return _contender(client, data, found[0])


def reigning(client: "MlflowClient", data: str) -> Contender | None:
    """The champion and its siblings; None while there is none.

    Raises:
        SemtokError: its scores are gone.
    """
    champion = registry.champion(client, data)
    return _contender(client, data, champion) if champion else None


def _contender(client: "MlflowClient", data: str, version: "ModelVersion") -> Contender:
    """A version and the others of its recipe: of each seed the newest."""
    found = registry.versions(client, data, {RECIPE: version.tags[RECIPE]})
    by_seed = {int(each.tags[SEED]): each for each in reversed(found)}
    versions = tuple(by_seed[seed] for seed in sorted(by_seed))
    table = pa.concat_tables([_cases(client, each) for each in versions])
    tasks = {
        task: ranks
        for task, ranks in by_task(table).items()
        if task.benchmark == BENCHMARK and task.task in DIRECTIONS
    }
    chosen_on = [ranks.ranks for task, ranks in tasks.items() if task.split == CHOICE]
    if not chosen_on:
        raise SemtokError(
            f"{version.tags[VARIANT]} version {version.version}: no scores of {BENCHMARK} on "
            f"{CHOICE}; name them in params.yaml: bench"
        )
    recalls = np.mean([(ranks <= RECALLS[METRIC]).mean(axis=1) for ranks in chosen_on], axis=0)
    return Contender(versions, versions[int(recalls.argmax())], tasks)


def _cases(client: "MlflowClient", version: "ModelVersion") -> pa.Table:
    run_id = str(version.run_id)
    if all(each.path != registry.CASES for each in client.list_artifacts(run_id)):
        variant = version.tags[VARIANT]
        raise SemtokError(
            f"{variant} version {version.version}: has no scores; run scores@{variant}, "
            "then `semtok sync`"
        )
    with TemporaryDirectory() as folder:
        return read_table(Path(client.download_artifacts(run_id, registry.CASES, folder)), CASES)
