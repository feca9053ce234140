"""Trainings by their MLflow address, with the scores that are stored there, for comparisons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from semtok.bench import costs, leaderboard, unasked
from semtok.errors import SemtokError
from semtok.tracking import registry, server
from semtok.tracking.lineage import read_json
from semtok.tracking.links import Place
from semtok.tracking.training import DATA_HASH, SEED, VARIANT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

Found = TypeVar("Found")

_RUNS, MODELS = "runs:/", "models:/"


@dataclass(frozen=True)
class Registered:
    """One training as MLflow holds it.

    Attributes:
        label: short, for tables: `semantic v3`, or `semantic run 1a2b3c4d` where no version is.
        scores: a folder like a `scores` artifact of its seed alone.
        data_hash: of what it was trained and scored on.
        place: where MLflow shows it.
    """

    label: str
    scores: Path
    data_hash: str
    place: Place


def is_address(name: str) -> bool:
    """Whether a name is one of MLflow: those of variants have neither `/` nor `@`."""
    return "/" in name or "@" in name


def is_version(name: str) -> bool:
    """Whether a name is that of a version: its number, alias or address, and no artifact's key."""
    aliases = (registry.CHAMPION, registry.CHALLENGER)
    addresses = ("@", _RUNS, MODELS, registry.model_name(""))
    return name.isdecimal() or name in aliases or name.startswith(addresses)


def address_of(data: str, name: str) -> str:
    """The address of a version that is named by its number, by its alias, or by its address.

    Args:
        data: name of the data set, whose model a number or an alias is of.
        name: `3`, `champion`, `@champion`, or as of `fetch`.
    """
    if is_address(name) and not name.startswith("@"):
        return name
    return registry.model_name(data) + (f"/{name}" if name.isdecimal() else f"@{name.lstrip('@')}")


def lineage(data: str, version: str, address: str | None = None) -> dict[str, Any]:
    """What a registered version was made from, as recorded when it was uploaded.

    Args:
        data: name of the data set.
        version: as of `address_of`.
        address: of the tracking server; default: `server.address()`.

    Returns:
        As `lineage.Lineage.as_dict`.

    Raises:
        SemtokError: the server does not answer, or has no such version.
    """
    address = address or server.address()
    client = server.client(address)
    name = address_of(data, version)
    with server.talking_to(address), TemporaryDirectory() as folder:
        _, run = _found(client, address, name)
        return read_json(Path(client.download_artifacts(run.info.run_id, registry.LINEAGE, folder)))


def fetch(names: Sequence[str], folder: Path, address: str | None = None) -> dict[str, Registered]:
    """Find trainings in MLflow and bring their scores.

    Args:
        names: `semtok-scenes/3`, `semtok-scenes@champion`, either with `models:/` before it, or
            `runs:/ID`.
        folder: where the scores are written to.
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, there is no such training, it has no scores, or
            they follow another protocol.
    """
    address = address or server.address()
    client = server.client(address)
    with server.talking_to(address):
        return {
            name: _fetch(client, address, name, folder / str(n)) for n, name in enumerate(names)
        }


def version_of(client: "MlflowClient", address: str, name: str) -> "ModelVersion":
    """A version by its address.

    Args:
        address: of the server, for errors.
        name: `NAME/VERSION` or `NAME@ALIAS`, either with `models:/` before it.

    Raises:
        SemtokError: there is none, or that is no address of a version.
    """
    plain = name.removeprefix(MODELS)
    hint = "`semtok promote` sets it" if "@" in plain else "`semtok sync` lists what there is"
    fault = f"{address}: there is no {plain}; {hint}"
    if "@" in plain:
        model, _, alias = plain.rpartition("@")
        return _known(lambda: client.get_model_version_by_alias(model, alias), fault)
    model, _, number = plain.rpartition("/")
    if not number.isdecimal():
        raise SemtokError(
            f"{name}: no address of a training; write NAME/VERSION, NAME@ALIAS or runs:/ID, e.g. "
            "semtok-scenes/3"
        )
    return _known(lambda: client.get_model_version(model, number), fault)


def _fetch(client: "MlflowClient", address: str, name: str, folder: Path) -> Registered:
    version, run = _found(client, address, name)
    run_id = run.info.run_id
    if version is None:
        found = client.search_model_versions(f"run_id = '{run_id}'")
        version = max(found, key=lambda each: int(each.version), default=None)
    tags = run.data.tags
    own = {registry.CASES, costs.NAME}
    history = leaderboard.history(Path(), int(tags.get(SEED, 0))).name
    there = {each.path for each in client.list_artifacts(run_id)}
    missing = (own | {history}) - there
    if missing or DATA_HASH not in tags:
        variant = tags.get(VARIANT, "VARIANT")
        raise SemtokError(
            f"{name}: has no {', '.join(sorted(missing)) or DATA_HASH} in MLflow; run "
            f"scores@{variant}, then `semtok sync`, where it was trained"
        )
    registry.check_protocol(name, tags)
    folder.mkdir(parents=True)
    for artifact in (*own, history, *({unasked.NAME} & there)):
        client.download_artifacts(run_id, artifact, str(folder))
    where = f"v{version.version}" if version else f"run {run_id[:8]}"
    return Registered(
        label=f"{tags[VARIANT]} {where}",
        scores=folder,
        data_hash=tags[DATA_HASH],
        place=Place(
            run_id=run_id,
            experiment_id=str(run.info.experiment_id),
            version=version.version if version else "",
            model=version.name if version else "",
        ),
    )


def _found(client: "MlflowClient", address: str, name: str) -> "tuple[ModelVersion | None, Run]":
    """The version of an address, None where it names a run, and its run."""
    version = None if name.startswith(_RUNS) else version_of(client, address, name)
    run_id = str(version.run_id) if version else name.removeprefix(_RUNS)
    return version, _known(lambda: client.get_run(run_id), f"{address}: there is no run {run_id}")


def _known(get: Callable[[], Found], fault: str) -> Found:
    """What MLflow has, or one line that it has not."""
    from mlflow.exceptions import MlflowException

    try:
        return get()
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise SemtokError(fault) from None
        raise
