"""A registered version by its MLflow address, to be scored by the benchmarks of any data set."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from semtok.bench.outside import Reader, Source
from semtok.errors import SemtokError
from semtok.events import Emit, Message
from semtok.tracking import registered, server
from semtok.tracking.training import CHECKPOINT, EXTRACTOR, SEED, VARIANT
from semtok.version_reader import VersionReader
from semtok.workspace import digest

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

#: Parts of a version, and the tags that hold their digests.
_TAGS = {"checkpoint": CHECKPOINT, "extractor": EXTRACTOR}


def of_version(name: str, emit: Emit, address: str | None = None) -> Source:
    """A registered version, with its files.

    Args:
        name: `models:/NAME/VERSION`, or `models:/NAME@ALIAS`: the version that bears it now, which
            is told.
        emit: told which version it is.
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, or has no such version, it was not trained here,
            or its files are not those that were registered; and as `VersionReader`.
    """
    address = address or server.address()
    client = server.client(address)
    with server.talking_to(address):
        version = registered.version_of(client, address, name)
    plain = f"{registered.MODELS}{version.name}/{version.version}"
    if CHECKPOINT not in version.tags:
        raise SemtokError(f"{plain}: has no tag {CHECKPOINT}, so it is none that semtok registered")
    if plain != name:
        emit(Message(f"{name} is {plain} now"))
    label = f"{plain} ({version.tags.get(VARIANT)} seed {version.tags.get(SEED)})"
    reader, digests = _read(address, version, label)
    return Source(label, {"registered": plain, **digests}, lambda: reader)


def _read(address: str, version: "ModelVersion", label: str) -> tuple[Reader, dict[str, str]]:
    """Open a version, and identify the parts that it is made of."""
    import mlflow
    from mlflow.models import Model

    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    with TemporaryDirectory() as temporary:
        with server.talking_to(address):
            files = mlflow.artifacts.download_artifacts(
                f"{registered.MODELS}{version.name}/{version.version}", dst_path=temporary
            )
        # As data: the code that lies beside them is not run.
        stored = Model.load(files).flavors["python_function"]["artifacts"]
        folders = {part: Path(files) / each["path"] for part, each in stored.items()}
        digests = {part: digest(folder) for part, folder in folders.items()}
        # Versions that were registered before have no tag of their extractor.
        tags = {part: version.tags.get(tag) for part, tag in _TAGS.items()}
        if any(tag not in (None, digests.get(part)) for part, tag in tags.items()):
            raise SemtokError(
                f"{label}: its files in MLflow are not those that were registered; "
                "restore them, or name another version"
            )
        reader = VersionReader(label, folders["checkpoint"], folders.get("extractor"))
        return reader, digests
