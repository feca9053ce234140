"""Bring MLflow up to date: the runs and registered versions that the workspace's trainings lack."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from semtok.events import Emit, Progress, ignore
from semtok.tracking import links, registry, runs, served_extractor, server, serving, upload
from semtok.tracking.alone import alone
from semtok.tracking.links import Place
from semtok.tracking.published import Published, published
from semtok.tracking.training import CHECKPOINT, UPLOADED
from semtok.workspace import Workspace, digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass
class Synced:
    """What `sync` did.

    Attributes:
        model: the registered model.
        created: trainings that got a version.
        completed: trainings whose run lacked something.
        unchanged: trainings that lacked nothing.
        versions: name of the training -> its version.
        page: where to look at them.
    """

    model: str
    page: str
    created: int = 0
    completed: int = 0
    unchanged: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def sync(workspace: Workspace, emit: Emit = ignore, address: str | None = None) -> Synced:
    """Create the MLflow runs and registered versions that are missing; complete the others.

    Runs are found again by the hash of their checkpoint, so that a second call creates nothing. A
    run that a training logged live is completed. Scores and pictures that appear later are added.
    A training that cannot be read or traced is left out, with a message.

    Args:
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, or fails in the middle.
    """
    address = address or server.address()
    client = server.client(address)
    model = registry.model_name(workspace.data)
    done = Synced(model, f"{address}/#/models/{model}")
    with alone(workspace, "sync", emit), server.talking_to(address):
        found = list(published(workspace, emit))
        places = {}
        for number, item in enumerate(found):
            emit(Progress("uploading trainings", number, len(found)))
            state, places[item.checkpoint_hash] = _bring_up_to_date(
                client, address, workspace, item
            )
            done.versions[item.training.name] = places[item.checkpoint_hash].version
            setattr(done, state, getattr(done, state) + 1)
        emit(Progress("uploading trainings", len(found), len(found)))
        links.remember(workspace, address, places)
    return done


def _bring_up_to_date(
    client: "MlflowClient", address: str, workspace: Workspace, item: Published
) -> tuple[str, Place]:
    """Make the run and the version of one training complete.

    Returns:
        created, completed or unchanged, and where the training is.
    """
    run = next(iter(runs.find_runs(client, item.training, CHECKPOINT, item.checkpoint_hash)), None)
    version = registry.find_version(client, item)
    if run and version and run.data.tags.get(UPLOADED) == item.content:
        return "unchanged", _place(client, version)
    if run:
        run_id, known = run.info.run_id, runs.logged(client, run)
    else:
        curves = upload.curves(item)
        run_id, known = runs.open_run(
            client, item.training, lambda found: _same_start(found, curves)
        )
        # From here on the run is found again, whatever happens.
        client.set_tag(run_id, CHECKPOINT, item.checkpoint_hash)
    # Until its end nobody decides by it, as half of it is from before.
    client.set_tag(run_id, UPLOADED, "")
    upload.fill(client, run_id, known, item)
    state = "completed" if version else "created"
    if version is None:
        with TemporaryDirectory() as name:
            taken = served_extractor.pack(workspace, item.lineage, Path(name))
            packed = Path(name) if taken else None
            model_id = serving.log_model(address, run_id, item.folder, item.training.name, packed)
            extractor = digest(packed) if packed else None
        version = registry.create_version(client, run_id, model_id, item, extractor)
    else:
        registry.renew_tags(client, version, item)
    client.set_terminated(run_id, "FINISHED")
    client.set_tag(run_id, UPLOADED, item.content)
    return state, _place(client, version)


def _place(client: "MlflowClient", version: "ModelVersion") -> Place:
    run = client.get_run(str(version.run_id))
    return Place(run.info.run_id, run.info.experiment_id, version.version, version.name)


def _same_start(found: runs.Logged, curves: runs.Logged) -> bool:
    """Whether a run began as the training did; its end may differ, as a kill repeats steps."""
    first = min((step for _, step in found), default=0)
    return all(curves.get(key) == value for key, value in found.items() if key[1] == first)
