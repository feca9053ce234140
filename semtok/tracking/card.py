"""Write a registered model's card from what MLflow holds of it; the same facts, the same card."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from semtok.bench import costs, guessing, protocol
from semtok.bench.cases import CASES, Ranks, Task, by_task, measured
from semtok.bench.intervals import resample
from semtok.errors import SemtokError
from semtok.params import SPLITS
from semtok.report import model_card
from semtok.report.controls import is_control
from semtok.report.headlines import headlines
from semtok.report.model_card import Facts, Line
from semtok.report.told import of_backends
from semtok.tables import read_table
from semtok.tracking import contender, registered, registry, server
from semtok.tracking.lineage import flatten, read_json, unflattened
from semtok.tracking.training import CHECKPOINT, DATA_HASH, RECIPE, SEED, VARIANT
from semtok.tracking.upload import score_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

#: Artifact of the run.
ARTIFACT = "card.md"

#: Characters of a description that every store of MLflow takes.
_DESCRIPTION = 5000
_REST = f"The rest stands in `{ARTIFACT}`, an artifact of the run.\n"

_CORRUPTED = "retrieval_corrupted"


@dataclass(frozen=True)
class Card:
    """A card, and where it is.

    Attributes:
        version: e.g. `semtok-scenes/3`.
        text: Markdown.
        page: where MLflow shows the version, with the card's beginning for its description.
    """

    version: str
    text: str
    page: str


def write(data: str, version: str, address: str | None = None) -> Card:
    """Write the card of a version into its description, and whole into an artifact of its run.

    Args:
        data: name of the data set.
        version: as of `registered.address_of`.
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, there is no such version, or it has no scores.
    """
    address = address or server.address()
    client = server.client(address)
    name = registered.address_of(data, version)
    with server.talking_to(address), TemporaryDirectory() as folder:
        found = registered.fetch([name], Path(folder) / "scores", address)[name]
        item = client.get_model_version(found.place.model, found.place.version)
        parts = model_card.sections(_facts(client, data, item, found.scores, Path(folder)))
        text = "\n\n".join(parts) + "\n"
        client.log_text(found.place.run_id, text, ARTIFACT)
        if item.description != (short := _short(parts)):
            client.update_model_version(item.name, item.version, short)
    place = f"{item.name}/{item.version}"
    return Card(place, text, f"{address}/#/models/{item.name}/versions/{item.version}")


def _facts(
    client: "MlflowClient", data: str, item: "ModelVersion", scores: Path, folder: Path
) -> Facts:
    run_id = str(item.run_id)
    lineage = read_json(Path(client.download_artifacts(run_id, registry.LINEAGE, str(folder))))
    artifacts = lineage["artifacts"]
    variant, seed = item.tags[VARIANT], item.tags[SEED]
    if (scored := f"scores@{variant}") not in artifacts:
        raise SemtokError(
            f"{contender.name_of(item)}: {scored} is not in the lineage; run it and `semtok sync`"
        )
    bench = artifacts[scored]["params"]["bench"]
    alike = contender.of(client, data, item)
    table = read_table(scores / "cases.parquet", CASES)
    own = by_task(table.filter(pc.equal(table["seed"], int(seed))))
    lines = list(_lines(own, alike.tasks, bench))
    headline = headlines(own)[0]
    metric = measured(own[headline])[0]
    facts = artifacts[f"checkpoint@{variant}"]["facts"]
    return Facts(
        model=item.name,
        version=item.version,
        variant=variant,
        seed=seed,
        address=f"models:/{item.name}/{item.version}",
        label=protocol.label(len(alike.versions)),
        told=_told(artifacts),
        identity={
            "checkpoint": item.tags[CHECKPOINT],
            "data": item.tags[DATA_HASH],
            "protocol": item.tags[registry.PROTOCOL],
            "commit": f"{facts.get('commit') or 'none'}{' and changes' * bool(facts.get('dirty'))}",
        },
        data=_data(client, run_id, folder),
        settings={
            **client.get_run(run_id).data.params,
            **flatten({"data": artifacts["index"]["params"]["data"]}),
        },
        costs=costs.read(scores),
        scores=[line for task, line in lines if task.benchmark != _CORRUPTED],
        corrupted=[line for task, line in lines if task.benchmark == _CORRUPTED],
        beside=list(_beside(client, data, item, score_name(*headline, metric), bench["baseline"])),
        beside_metric=f"{metric} of {' '.join(headline)}",
        seeds=len(alike.versions),
        lineage=[(key, each["digest"], each["gate"]) for key, each in sorted(artifacts.items())],
        confidence=bench["confidence"],
    )


def _lines(
    own: Mapping[Task, Ranks], of_all: Mapping[Task, Ranks], bench: Mapping[str, Any]
) -> Iterator[tuple[Task, Line]]:
    """Scores of the last split and of novel: whole tasks, and of corruption every kind."""
    last = max({task.split for task in own} - {"novel"}, key=SPLITS.index)
    for task, ranks in own.items():
        corrupted = task.benchmark == _CORRUPTED
        if task.split not in (last, "novel") or (task.is_part and not corrupted):
            continue
        bounds, metric = guessing.bounds(ranks), measured(ranks)[0]
        each, mean = (
            resample([drawn], bench["bootstrap"])[0][metric].interval(bench["confidence"])
            for drawn in (ranks, of_all[task])
        )
        blind = bounds.blind[metric] if bounds.blind else None
        yield task, Line(" ".join(task), metric, each, mean, bounds.chance.get(metric), blind)


def _told(artifacts: Mapping[str, Any]) -> str:
    """Whose masks and relations the tokens rest on."""
    for key, each in artifacts.items():
        if key.startswith("masks@"):
            (extractor,) = (
                block for name, block in each["params"].items() if name.startswith("extractors.")
            )
            masks, graphs = extractor["masks"], extractor["scene_graphs"]
            trained = {"detector", "relation_model"} & {
                name.partition("@")[0] for name in artifacts
            }
            told = of_backends({masks: masks in trained, graphs: graphs in trained})
            return f"Its tokens rest on masks by `{masks}` and relations by `{graphs}`: {told}."
    return "It reads pixels alone: no masks or relations are an input."


def _data(client: "MlflowClient", run_id: str, folder: Path) -> dict[str, Any]:
    if all(each.path != registry.DATA for each in client.list_artifacts(run_id)):
        return {}
    return read_json(Path(client.download_artifacts(run_id, registry.DATA, str(folder))))


def _beside(
    client: "MlflowClient", data: str, item: "ModelVersion", name: str, baseline: str
) -> Iterator[tuple[str, str, str]]:
    """The newest trainings of each other variant that may be ranked with it, by one score."""
    same = {tag: item.tags[tag] for tag in (DATA_HASH, registry.PROTOCOL)}
    newest: dict[str, ModelVersion] = {}
    for each in registry.versions(client, data, same):
        if each.tags[VARIANT] != item.tags[VARIANT] and each.tags[RECIPE] != item.tags[RECIPE]:
            newest.setdefault(each.tags[VARIANT], each)
    for variant, version in sorted(newest.items()):
        alike = contender.trained_alike(client, data, version)
        found = [client.get_run(str(each.run_id)).data for each in alike]
        values = [each.metrics[name] for each in found if name in each.metrics]
        roles = ["baseline"] if variant == baseline else []
        params = found[0].params
        if is_control(unflattened(params, "variant"), unflattened(params, "tokenizer")):
            roles.append("control")
        if values:
            yield variant, ", ".join(roles), f"{fmean(values):.1f}"


def _short(parts: Sequence[str]) -> str:
    """As many sections as a description has room for."""
    text = "\n\n".join(parts) + "\n"
    if len(text) <= _DESCRIPTION:
        return text
    kept = ""
    for part in parts:
        if len(kept) + len(part) + len(_REST) + 2 > _DESCRIPTION:
            break
        kept += f"{part}\n\n"
    return kept + _REST
