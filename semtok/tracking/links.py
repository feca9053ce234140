"""Where MLflow shows trainings: noted when they were uploaded, so that no server is asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from semtok.json_files import read_json, write_json
from semtok.tracking import registry
from semtok.workspace import Workspace, digest


class Place(NamedTuple):
    """A training in MLflow; `version` and `model` are empty where no version is of it."""

    run_id: str
    experiment_id: str
    version: str
    model: str


def page(address: str, places: Sequence[Place]) -> str:
    """Where MLflow shows trainings side by side: versions of one model, else runs."""
    models = {each.model for each in places}
    if len(models) == 1 and all(each.version for each in places):
        runs = {each.version: each.run_id for each in places}
        return registry.versions_page(address, models.pop(), runs)
    experiments = sorted({each.experiment_id for each in places})
    return registry.runs_page(address, [each.run_id for each in places], experiments)


def remember(workspace: Workspace, address: str, places: Mapping[str, Place]) -> None:
    """Note where the trainings of a workspace are.

    Args:
        address: of the tracking server.
        places: hash of a training's checkpoint -> its place.
    """
    path = _path(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    write_json(partial, {"address": address, "trainings": {**places}})
    partial.replace(path)


def find(workspace: Workspace, address: str, checkpoint: Path) -> Place | None:
    """Where a training is, by what was noted when it was uploaded to that server last.

    Args:
        address: of the tracking server.
        checkpoint: `seed-S` of a checkpoint artifact.
    """
    path = _path(workspace)
    if not (path.exists() and checkpoint.exists()):
        return None
    noted = read_json(path)
    place = noted["trainings"].get(digest(checkpoint)) if noted["address"] == address else None
    return Place(*place) if place else None


def _path(workspace: Workspace) -> Path:
    return workspace.state("tracking", f"{workspace.data}.json")
