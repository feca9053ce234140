"""What has effects outside the workspace and is therefore no DVC stage: registry and pages."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from dagster_project.artifacts import pictures
from dagster_project.assets import partitions
from dagster_project.line import Line
from dagster_project.processes import environment
from semtok import pipeline
from semtok.commands import HELD_BACK
from semtok.tracking.server import address, answers

#: One decision at a time: each is about the champion that the one before it left.
_POOL = "decisions"


def registry_assets(line: Line) -> list[AssetsDefinition]:
    """`sync`, `promote` and `comparison`, as the commands of these names."""

    @asset(
        description="Creates the MLflow runs and registered versions that are missing.",
        deps=["checkpoint", "scores"],
        group_name="results",
        owners=["team:evaluation"],
        kinds={"mlflow"},
    )
    def sync(context: AssetExecutionContext) -> MaterializeResult[None]:
        return MaterializeResult(metadata=_semtok(context, line, "sync"))

    @asset(
        description="Makes a variant the champion if every rule of `promotion` lets it through.",
        deps=[AssetDep("scores"), AssetDep("sync")],
        partitions_def=partitions(line, pipeline.stages()["scores"]),
        pool=_POOL,
        group_name="results",
        owners=["team:evaluation"],
        kinds={"mlflow"},
    )
    def promote(context: AssetExecutionContext) -> MaterializeResult[None]:
        decided = _semtok(context, line, "promote", context.partition_key)
        if held_back := decided["held_back_by"].value:
            context.log.warning(f"held back by {', '.join(held_back)}: {decided['reason'].value}")
        return MaterializeResult(metadata=decided)

    @asset(
        description="All variants on a page, with the cases where they differ; also in MLflow.",
        deps=["leaderboard"],
        group_name="results",
        owners=["team:evaluation"],
        kinds={"html"},
    )
    def comparison(context: AssetExecutionContext) -> MaterializeResult[None]:
        page = line.workspace.state("comparison", f"{line.params.data.name}.html")
        found = _compare(context, line, page)
        links = {name: _shown(found[name]) for name in ("published", "link") if found[name]}
        return MaterializeResult(
            metadata={
                "page": MetadataValue.path(page),
                **links,
                **_verdicts(found["rows"]),
                **pictures(context.instance, line.folder(("leaderboard", None))),
            }
        )

    return [sync, promote, comparison]


def _compare(context: AssetExecutionContext, line: Line, page: Path) -> dict[str, Any]:
    """Write the page, and store it in MLflow where that can be."""
    arguments = ("compare", "--html", str(page))
    missing = f"{address()}: no MLflow server answers"
    if answers(address()):
        try:
            return _answer(line, *arguments, "--publish")
        except Failure as failure:  # as while nothing is registered
            missing = str(failure.description)
    found = _answer(line, *arguments)
    context.log.warning(f"{missing}; the page lies here alone")
    return found


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many metrics of how many tasks each verdict was given on."""
    counts = Counter(row["verdict"] for row in rows)
    return {name: counts[name] for name in ("better", "worse", "undecided")}


def _semtok(
    context: AssetExecutionContext, line: Line, *arguments: str
) -> dict[str, MetadataValue]:
    """Run `semtok ... --json` and show what it answers."""
    answer = _answer(line, *arguments)
    context.log.info(json.dumps(answer, indent=2))
    return {name: _shown(value) for name, value in answer.items()}


def _answer(line: Line, *arguments: str) -> dict[str, Any]:
    """What `semtok ... --json` answers."""
    command = ["semtok", *arguments, "--json"]
    done = subprocess.run(command, cwd=line.root, env=environment(), capture_output=True, text=True)
    sys.stderr.write(done.stderr)
    if done.returncode not in (0, HELD_BACK):
        lines = done.stderr.strip().splitlines() or [f"semtok {' '.join(arguments)} failed"]
        raise Failure(lines[-1].removeprefix("error: "))
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _shown(value: Any) -> MetadataValue:
    if isinstance(value, bool):
        return MetadataValue.bool(value)
    if isinstance(value, int):
        return MetadataValue.int(value)
    if isinstance(value, float):
        return MetadataValue.float(value)
    if isinstance(value, str):
        is_page = value.startswith(("http://", "https://"))
        return MetadataValue.url(value) if is_page else MetadataValue.text(value)
    return MetadataValue.json(value)
