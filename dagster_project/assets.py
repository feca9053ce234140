"""One asset a stage: same name, same partitions, same inputs as in DVC, which runs it."""

import warnings
from collections import deque
from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    DataVersion,
    Failure,
    MaterializeResult,
    PreviewWarning,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    asset,
)

from dagster_project import dvc
from dagster_project.artifacts import materialization_metadata, verdict_metadata
from dagster_project.line import Line
from semtok import pipeline
from semtok.checks.verdict import read_verdict
from semtok.pipes import GATE
from semtok.stage import Key, Stage
from semtok.workspace import stage_key

#: Stage -> group, owner, kinds (icons).
_LABELS = {
    "images": ("data", "team:data", {"dvc", "python"}),
    "index": ("data", "team:data", {"dvc", "polars", "parquet"}),
    "detector": ("extraction", "team:extraction", {"dvc", "pytorch"}),
    "masks": ("extraction", "team:extraction", {"dvc", "parquet"}),
    "relation_model": ("extraction", "team:extraction", {"dvc", "pytorch"}),
    "scene_graphs": ("extraction", "team:extraction", {"dvc", "parquet"}),
    "extraction_scores": ("extraction", "team:extraction", {"dvc", "pytorch", "parquet"}),
    "token_shards": ("tokens", "team:models", {"dvc", "arrow"}),
    "checkpoint": ("models", "team:models", {"dvc", "pytorch"}),
    "scores": ("results", "team:evaluation", {"dvc", "pytorch", "parquet"}),
    "outside_scores": ("results", "team:evaluation", {"dvc", "pytorch", "parquet"}),
    "remote_scores": ("results", "team:evaluation", {"dvc", "pytorch", "parquet"}),
    "transmission": ("results", "team:evaluation", {"dvc", "pytorch", "parquet"}),
    "leaderboard": ("results", "team:evaluation", {"dvc", "parquet"}),
}


def stage_assets(line: Line) -> list[AssetsDefinition]:
    """An asset for every stage of the pipeline that the settings have work for."""
    used = {name for name, _ in line.keys}
    return [_asset(line, stage) for name, stage in pipeline.stages().items() if name in used]


def partitions(line: Line, stage: Stage) -> StaticPartitionsDefinition | None:
    """The keys of a stage as people name them, the same in DVC; None where it has none."""
    keys = stage.partitions(line.params)
    return None if keys is None else StaticPartitionsDefinition(keys)


def dependencies(line: Line, stage: Stage) -> list[AssetDep]:
    """What a stage reads: exact between partitions, the union between assets."""
    return [
        AssetDep(name, partition_mapping=StaticPartitionMapping(mapping) if mapping else None)
        for name, mapping in line.inputs(stage).items()
    ]


def _asset(line: Line, stage: Stage) -> AssetsDefinition:
    group, owner, kinds = _LABELS[stage.name]
    keys = partitions(line, stage)
    with warnings.catch_warnings():
        # Checks by partition are a preview; without them the last partition's verdict would
        # stand for all.
        warnings.simplefilter("ignore", PreviewWarning)
        gate = AssetCheckSpec(
            GATE,
            asset=stage.name,
            description="The stage's own suite of expectations. Red: nothing was published.",
            blocking=True,
            partitions_def=keys,
        )

    @asset(
        name=stage.name,
        description=stage.about,
        deps=dependencies(line, stage),
        partitions_def=keys,
        check_specs=[gate],
        pool=dvc.POOL,
        code_version=line.code_version(stage.name),
        group_name=group,
        owners=[owner],
        kinds=kinds,
        tags={"data_set": line.params.data.name},
        metadata={"source": list(stage.source)},
    )
    def materialize(context: AssetExecutionContext):  # type: ignore[no-untyped-def]
        partition = context.partition_key if context.has_partition_key else None
        with dvc.waiting(context):
            yield from _materialize(context, line, (stage.name, partition))

    return materialize


def _materialize(
    context: AssetExecutionContext, line: Line, key: Key
) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
    """Let DVC bring one partition up to date, and say what came out."""
    if not line.is_current():
        raise Failure(
            "params.yaml names another data set, other partitions or other inputs of theirs than "
            "when it was loaded: reload the code location (Deployment)",
            allow_retries=False,
        )
    name = stage_key(*key)
    changed = dvc.out_of_date(line.root, [name], upstream=True)
    for each in pipeline.upstream(line.params, key):
        upstream = stage_key(*each)
        if upstream in changed and each != key:
            made = each in line.versions()
            state = f"out of date ({changed[upstream]})" if made else "not made yet"
            raise Failure(
                f"{name} needs {upstream}, which is {state}: materialize {upstream} first",
                allow_retries=False,
            )
    if name in changed:
        context.log.info(f"{name}: {changed[name]}")
        run = dvc.Repro(context, line.root, ["--single-item", name])
        deque(run.stages(), maxlen=0)
        if run.failure:
            yield from run.checks
            raise Failure(run.failure, allow_retries=False)
    else:
        context.log.info(f"{name} is up to date: nothing to run")
        line.forget_red(key)
    yield MaterializeResult(
        metadata=materialization_metadata(context.instance, line.folder(key)),
        data_version=DataVersion(line.versions()[key]),
    )
    verdict = read_verdict(line.folder(key))
    yield AssetCheckResult(
        check_name=GATE, passed=verdict.passed, metadata=verdict_metadata(verdict)
    )
