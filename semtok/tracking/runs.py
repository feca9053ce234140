"""MLflow runs: one a training, found again by its tags, filled without repeating anything."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from semtok.tracking.training import CHECKPOINT, TRAINING, Training

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

#: What the server accepts in one request.
_METRICS, _PARAMETERS = 1000, 100


class Value(NamedTuple):
    """One value of a metric, at a training step and a time in milliseconds since 1970."""

    name: str
    value: float
    step: int
    when: int


#: What a run holds already: name and step of a value -> the value.
Logged: TypeAlias = Mapping[tuple[str, int], float]


def open_run(
    client: "MlflowClient", training: Training, same: Callable[[Logged], bool]
) -> tuple[str, Logged]:
    """The run of a training that has no checkpoint yet: the one that a kill left, or a new one.

    Args:
        same: tells from its values whether a run with the same settings is of this very training.

    Returns:
        The run's id, and what it holds.
    """
    for run in find_runs(client, training, TRAINING, training.fingerprint):
        if CHECKPOINT not in run.data.tags and same(found := logged(client, run)):
            client.update_run(run.info.run_id, "RUNNING")
            return run.info.run_id, found
    experiment = experiment_id(client, training.experiment)
    run = client.create_run(experiment, tags=training.tags(), run_name=training.name)
    log_parameters(client, run.info.run_id, training.parameters())
    return run.info.run_id, {}


def find_runs(client: "MlflowClient", training: Training, tag: str, value: str) -> Iterable["Run"]:
    """The runs of the training's experiment that bear a tag, the newest first."""
    experiment = experiment_id(client, training.experiment)
    return list(client.search_runs([experiment], f"tags.{tag} = '{value}'"))


def log_parameters(client: "MlflowClient", run_id: str, parameters: Mapping[str, str]) -> None:
    """Log the parameters that a run lacks; what it has stays, as MLflow lets none change."""
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    items = [Param(name, parameters[name]) for name in sorted(parameters.keys() - known.keys())]
    for start in range(0, len(items), _PARAMETERS):
        client.log_batch(run_id, params=items[start : start + _PARAMETERS])


def log_values(client: "MlflowClient", run_id: str, values: Sequence[Value]) -> None:
    """Log values of metrics in few requests: twenty cost what one does."""
    from mlflow.entities import Metric

    items = [Metric(each.name, each.value, each.when, each.step) for each in values]
    for start in range(0, len(items), _METRICS):
        client.log_batch(run_id, metrics=items[start : start + _METRICS])


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags in one request."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def logged(client: "MlflowClient", run: "Run") -> Logged:
    """The values of a run."""
    return {
        (name, each.step): each.value
        for name in run.data.metrics
        for each in client.get_metric_history(run.info.run_id, name)
    }


def experiment_id(client: "MlflowClient", name: str) -> str:
    """The id of an experiment, which is created where it is missing."""
    from mlflow.exceptions import MlflowException

    if found := client.get_experiment_by_name(name):
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:
        # Another training may have been faster.
        if found := client.get_experiment_by_name(name):
            return str(found.experiment_id)
        raise
