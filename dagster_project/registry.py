"""What has effects outside the workspace and is therefore no DVC stage: MLflow's registry."""

import json
import subprocess
import sys
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

from dagster_project.assets import partitions
from dagster_project.line import Line
from dagster_project.processes import environment
from semtok import pipeline
from semtok.commands import HELD_BACK


def registry_assets(line: Line) -> list[AssetsDefinition]:
    """`sync` and `promote`, as the commands of the same name."""

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
        group_name="results",
        owners=["team:evaluation"],
        kinds={"mlflow"},
    )
    def promote(context: AssetExecutionContext) -> MaterializeResult[None]:
        decided = _semtok(context, line, "promote", context.partition_key)
        if held_back := decided["held_back_by"].value:
            context.log.warning(f"held back by {', '.join(held_back)}: {decided['reason'].value}")
        return MaterializeResult(metadata=decided)

    return [sync, promote]


def _semtok(
    context: AssetExecutionContext, line: Line, *arguments: str
) -> dict[str, MetadataValue]:
    """Run `semtok ... --json` and show what it answers."""
    command = ["semtok", *arguments, "--json"]
    done = subprocess.run(command, cwd=line.root, env=environment(), capture_output=True, text=True)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode not in (0, HELD_BACK):
        lines = done.stderr.strip().splitlines() or [f"semtok {' '.join(arguments)} failed"]
        raise Failure(lines[-1].removeprefix("error: "))
    answer: dict[str, Any] = json.loads(done.stdout)
    context.log.info(done.stdout)
    return {name: _shown(value) for name, value in answer.items()}


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
