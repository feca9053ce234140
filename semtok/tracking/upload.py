"""What a run holds of a published training: curves, costs, scores, data, pictures, lineage."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from semtok.bench import cases, costs, leaderboard, unasked
from semtok.json_files import write_json
from semtok.remote import AnyPath
from semtok.tables import read_table, write_table
from semtok.tracking import registry, runs
from semtok.tracking.published import Published

if TYPE_CHECKING:
    import pyarrow as pa
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput


def fill(client: "MlflowClient", run_id: str, known: runs.Logged, item: Published) -> None:
    """Add to a run what it lacks.

    Args:
        known: the values that it holds.
    """
    now = time.time_ns() // 1_000_000
    runs.log_parameters(client, run_id, item.parameters())
    values = {**curves(item), **{(name, 0): value for name, value in _numbers(item).items()}}
    new = [
        runs.Value(name, value, step, now)
        for (name, step), value in values.items()
        if known.get((name, step)) != value
    ]
    runs.log_values(client, run_id, new)
    runs.set_tags(client, run_id, registry.tags_of(item))
    client.log_inputs(run_id, list(_inputs(item)))
    with tempfile.TemporaryDirectory() as folder:
        _write_artifacts(Path(folder), item)
        client.log_artifacts(run_id, folder)
    for name, picture in item.pictures.items():
        client.log_artifact(run_id, str(picture), f"pictures/{Path(name).parent.as_posix()}")


def curves(item: Published) -> dict[tuple[str, int], float]:
    """What the training measured: name and step -> value."""
    # Imports torch, which a sync with nothing to do can spare.
    from semtok.train.history import HISTORY

    rows = read_table(item.folder / "history.parquet", HISTORY).to_pydict()
    return dict(zip(zip(rows["name"], rows["step"], strict=True), rows["value"], strict=True))


def score_name(benchmark: str, split: str, task: str, metric: str) -> str:
    """Name of a score in MLflow, which allows no `@`."""
    return f"{benchmark}/{split}/{task}/{metric.replace('R@', 'recall_at_')}"


def _numbers(item: Published) -> dict[str, float]:
    """What the training cost and what it scored."""
    found = dict(_flat_numbers("training", item.facts))
    if (table := _cases(item)) is not None:
        for benchmark, splits in cases.metrics(table).items():
            for split, tasks in splits.items():
                for task, values in tasks.items():
                    for metric, value in values.items():
                        found[score_name(benchmark, split, task, metric)] = value
    return found


def _flat_numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for each in value:
            yield from _flat_numbers(f"{name}/{each}", value[each])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)


def _inputs(item: Published) -> Iterator["DatasetInput"]:
    """The artifacts that were read, each with its digest."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    for key, artifact in item.lineage.artifacts.items():
        stage, _, partition = key.partition("@")
        if stage not in ("checkpoint", "scores"):
            dataset = Dataset(
                name=key,
                digest=str(artifact.digest),
                source_type="local",
                source=json.dumps({"uri": artifact.path}),
                profile=json.dumps(dict(artifact.facts)),
            )
            split = partition.rpartition("-")[2] or "source"
            yield DatasetInput(dataset, [InputTag("mlflow.data.context", split)])


def _write_artifacts(folder: Path, item: Published) -> None:
    lineage = json.dumps(item.lineage.as_dict(), indent=1, sort_keys=True)
    (folder / registry.LINEAGE).write_text(lineage + "\n", encoding="utf-8")
    if item.root.exists():
        read = (item.lineage.artifacts[name].digest for name in ("images", "index"))
        write_json(folder / registry.DATA, _data_facts(item.index, item.root, *read))
    if item.scores and (table := _cases(item)) is not None:
        # What a `scores` artifact of this seed alone would hold.
        write_table(folder / registry.CASES, table, cases.CASES)
        extraction = costs.read(item.scores).extraction
        costs.write(folder, replace(costs.of_trainings([item.folder]), extraction=extraction))
        unasked.write(folder, unasked.read(item.scores))
        name = leaderboard.history(folder, item.training.seed)
        shutil.copyfile(item.folder / "history.parquet", name)


@cache
def _data_facts(index: Path, root: AnyPath, *digests: str | None) -> dict[str, dict[str, Any]]:
    """`facts` of what has these digests: once for all trainings, as COCO takes seconds to read."""
    # Imports polars, which a sync with nothing to do can spare.
    from semtok.data.facts import facts

    return facts(index, root)


def _cases(item: Published) -> "pa.Table | None":
    """The training's own cases, of those of all seeds."""
    if item.scores is None:
        return None
    table = read_table(item.scores / "cases.parquet", cases.CASES)
    return table.filter(pc.equal(table["seed"], item.training.seed))
