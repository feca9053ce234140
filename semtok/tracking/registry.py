"""Registered models: one a data set, a version a training, the alias `champion`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from semtok.bench import protocol
from semtok.errors import SemtokError
from semtok.tracking.published import Published
from semtok.tracking.training import CHECKPOINT, EXTRACTOR

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

#: Aliases: what `promote` chose, and the best of the rest.
CHAMPION, CHALLENGER = "champion", "challenger"

#: Tag of a version: which protocol its scores follow.
PROTOCOL = "protocol_version"

#: Tag of a version: when its training was uploaded last, in UTC.
UPLOADED_AT = "uploaded_at"

#: Artifacts of a run.
LINEAGE, CASES, DATA = "lineage.json", "cases.parquet", "data.json"


def model_name(data: str) -> str:
    """The registered model of a data set."""
    return f"semtok-{data}"


def find_version(client: "MlflowClient", item: Published) -> "ModelVersion | None":
    """The version of a training."""
    return next(
        iter(versions(client, item.training.data, {CHECKPOINT: item.checkpoint_hash})), None
    )


def champion(client: "MlflowClient", data: str) -> "ModelVersion | None":
    """The version that bears the alias `champion`."""
    return aliased(client, data, CHAMPION)


def aliased(client: "MlflowClient", data: str, alias: str) -> "ModelVersion | None":
    """The version that bears an alias."""
    found = client.search_registered_models(f"name = '{model_name(data)}'")
    number = found[0].aliases.get(alias) if found else None
    return client.get_model_version(model_name(data), number) if number else None


def versions(client: "MlflowClient", data: str, tags: Mapping[str, str]) -> list["ModelVersion"]:
    """The versions of a data set's model that bear some tags, those uploaded last first."""
    conditions = [f"name = '{model_name(data)}'"]
    conditions += [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
    found: list[ModelVersion] = []
    token = None
    while token != "":
        page = client.search_model_versions(" AND ".join(conditions), page_token=token)
        found += page
        token = page.token or ""
    return sorted(
        found, key=lambda each: (each.tags.get(UPLOADED_AT, ""), int(each.version)), reverse=True
    )


def create_version(
    client: "MlflowClient", run_id: str, model_id: str, item: Published, extractor: str | None
) -> "ModelVersion":
    """Register a logged model as the next version.

    Args:
        extractor: digest of the one that it takes along; None: it takes none.
    """
    name = model_name(item.training.data)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(
            name, description="One version a training; compare the versions of equal data_hash."
        )
    return client.create_model_version(
        name=name,
        source=f"models:/{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags={**tags_of(item), **_now(), **({EXTRACTOR: extractor} if extractor else {})},
        description=item.training.name,
    )


def renew_tags(client: "MlflowClient", version: "ModelVersion", item: Published) -> None:
    """Say of a version what its training is by now: on which data, by which protocol its scores."""
    for name, value in {**tags_of(item), **_now()}.items():
        if version.tags.get(name) != value:
            client.set_model_version_tag(version.name, version.version, name, value)


def tags_of(item: Published) -> dict[str, str]:
    """The tags of a run and its version.

    Without scores none of their protocol, as older ones may be in MLflow already.
    """
    return {**item.tags(), **({PROTOCOL: protocol.VERSION} if item.scores else {})}


def check_protocol(name: str, tags: Mapping[str, str]) -> None:
    """Refuse scores that are not of this protocol, beside which no others are ranked.

    Args:
        name: whose they are.
        tags: of its run or its version.

    Raises:
        SemtokError: they are of another one.
    """
    if (found := tags.get(PROTOCOL, "unknown")) != protocol.VERSION:
        raise SemtokError(
            f"{name}: scored by protocol {found}, compared is by {protocol.VERSION}; score it "
            "again and run `semtok sync`, or, where it is a champion that is gone, remove its alias"
        )


def _now() -> dict[str, str]:
    return {UPLOADED_AT: datetime.now(UTC).isoformat(timespec="milliseconds")}


def comparison_page(address: str, data: str, compared: Iterable["ModelVersion"]) -> str:
    """Where MLflow shows versions of a data set's model side by side."""
    runs = {each.version: str(each.run_id) for each in compared}
    return versions_page(address, model_name(data), runs)


def versions_page(address: str, model: str, runs: Mapping[str, str]) -> str:
    """Where MLflow shows versions of a model side by side.

    Args:
        runs: version -> the id of its run.
    """
    name = quote(json.dumps(model))
    return f"{address}/#/compare-model-versions?name={name}&runs={quote(json.dumps(runs))}"


def runs_page(address: str, runs: Sequence[str], experiments: Sequence[str]) -> str:
    """Where MLflow shows runs side by side, by their ids and those of their experiments."""
    found = f"runs={quote(json.dumps(runs))}&experiments={quote(json.dumps(experiments))}"
    return f"{address}/#/compare-runs?{found}"


def numbered(client: "MlflowClient", data: str, version: str) -> "ModelVersion | None":
    """The version of a number, if there is one."""
    return next((each for each in versions(client, data, {}) if each.version == version), None)
