"""What DVC ran outside Dagster's assets: found in `dvc.lock`, shown as if Dagster had run it.

A job reports it, not runless events: of those Dagster keeps one check per partition for good.
"""

from collections.abc import Iterator, Mapping

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    EventLogRecord,
    JobDefinition,
    OpExecutionContext,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    job,
    op,
    sensor,
)

# Checks by partition are a preview of Dagster's; these two are not exported yet.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.event_api import PartitionKeyFilter

from dagster_project import dvc
from dagster_project.artifacts import materialization_metadata, verdict_metadata
from dagster_project.gone import end_gone_runs
from dagster_project.line import BeingWrittenError, Line
from semtok import pipeline
from semtok.checks.verdict import Verdict
from semtok.pipes import GATE, REASON
from semtok.stage import Key
from semtok.workspace import fingerprint, stage_key

_VERSION = "dagster/data_version"
_AT_WORK = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


Event = AssetMaterialization | AssetCheckEvaluation


def report(
    instance: DagsterInstance, line: Line, run_id: str, wait: bool = True
) -> Iterator[Event]:
    """What a run says of the artifacts and verdicts that Dagster does not know as they are now.

    Args:
        run_id: the run that asks. What another run is at work on, that run reports itself.
        wait: for DVC to let go of `dvc.lock`.

    Raises:
        BeingWrittenError: DVC holds the file, and `wait` is off.
    """
    versions = line.versions(wait)
    for key in _news(instance, line, versions, run_id):
        version = versions.get(key)
        if version and _known_version(instance, key) != version:
            yield AssetMaterialization(
                key[0],
                partition=key[1],
                metadata=materialization_metadata(instance, line.folder(key)),
                tags=_provenance(instance, line, key, version),
            )
        verdict = line.verdict(key)
        if verdict:
            yield _evaluation(instance, key, verdict)


def outside_job(line: Line) -> JobDefinition:
    """Report what ran outside Dagster."""

    @op(out={}, description="Reads dvc.lock and the verdicts; runs nothing.")
    def read_lock(context: OpExecutionContext):  # type: ignore[no-untyped-def]
        with dvc.waiting(context):
            _forget_red(line)
        yield from report(context.instance, line, context.run_id)

    @job(description="Shows what `dvc repro` ran outside Dagster: versions, metadata, checks.")
    def report_outside_runs() -> None:
        read_lock()

    return report_outside_runs


def outside_sensor(line: Line, reporting: JobDefinition) -> SensorDefinition:
    """Start the reporting job soon after something ran outside Dagster."""

    @sensor(
        name="dvc_lock",
        description="Watches dvc.lock for what `dvc repro` ran outside Dagster.",
        job=reporting,
        minimum_interval_seconds=15,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def dvc_lock(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        end_gone_runs(context.instance)  # what they had made is reported below
        state = _state(line)
        if state == context.cursor:
            return SkipReason("dvc.lock has not changed")
        try:
            changed = _news(context.instance, line, line.versions(wait=False))
        except BeingWrittenError:
            return SkipReason("DVC is just writing dvc.lock")
        # What a run is at work on is its own to report; should it fail, a later look finds it.
        if not context.instance.get_runs(RunsFilter(statuses=_AT_WORK), limit=1):
            context.update_cursor(state)
        if changed or line.red_keys():
            return RunRequest()
        return SkipReason("Dagster knows it all")

    return dvc_lock


def _news(
    instance: DagsterInstance, line: Line, versions: Mapping[Key, str], run_id: str = ""
) -> list[Key]:
    changed = [
        key
        for key in line.keys
        if (key in versions and _known_version(instance, key) != versions[key])
        or ((verdict := line.verdict(key)) and _known_reason(instance, key) != verdict.reason)
    ]
    for run in instance.get_runs(RunsFilter(statuses=_AT_WORK)) if changed else []:
        if run.run_id != run_id:
            partition = run.tags.get("dagster/partition")
            assets = run.asset_selection or {AssetKey(stage) for stage, _ in line.keys}
            changed = [
                key
                for key in changed
                if AssetKey(key[0]) not in assets or partition not in (None, key[1])
            ]
    return changed


def _state(line: Line) -> str:
    """Changes whenever there may be something to report."""
    red = line.red_keys()
    files = [line.root / "dvc.lock", *([line.root / "params.yaml"] if red else [])]
    content = [path.read_text() for path in files if path.exists()]
    return fingerprint(
        *content, *(f"{key} {line.verdict(key)} {line.code_version(key[0])}" for key in red)
    )


def _forget_red(line: Line) -> None:
    """A setting that was taken back makes an artifact good again without a run of its stage."""
    red = {stage_key(*key): key for key in line.red_keys()}
    changed = dvc.out_of_date(line.root, list(red)) if red else {}
    for name in red.keys() - changed.keys():
        line.forget_red(red[name])


def _latest(
    instance: DagsterInstance, stage: str, partition: str | None = None
) -> EventLogRecord | None:
    chosen = AssetRecordsFilter(
        asset_key=AssetKey(stage), asset_partitions=[partition] if partition else None
    )
    return next(iter(instance.fetch_materializations(chosen, limit=1).records), None)


def _known_version(instance: DagsterInstance, key: Key) -> str | None:
    return _data_version(_latest(instance, *key))


def _data_version(record: EventLogRecord | None) -> str | None:
    found = record and record.asset_materialization
    return (found.tags or {}).get(_VERSION) if found else None


def _known_reason(instance: DagsterInstance, key: Key) -> str | None:
    """Why the gate was red when Dagster last heard of it; empty: it was green; None: never."""
    check = AssetCheckKey(AssetKey(key[0]), GATE)
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [check], PartitionKeyFilter(key=key[1])
    )
    evaluation = found[check].evaluation if check in found else None
    if evaluation is None:
        return None
    reason = evaluation.metadata.get(REASON)
    return str(reason.value) if reason else ""


def _provenance(instance: DagsterInstance, line: Line, key: Key, version: str) -> dict[str, str]:
    """The tags that a materialization of Dagster's own would bear.

    By them Dagster tells whether code or inputs have changed since, as after a run of its own.
    """
    tags = {
        _VERSION: version,
        f"{_VERSION}_is_user_provided": "true",
        "dagster/code_version": line.code_version(key[0]),
    }
    for upstream in line.inputs(pipeline.stages()[key[0]]):
        record = _latest(instance, upstream)
        if record:
            tags[f"dagster/input_data_version/{upstream}"] = _data_version(record) or ""
            tags[f"dagster/input_event_pointer/{upstream}"] = str(record.storage_id)
    return tags


def _evaluation(instance: DagsterInstance, key: Key, verdict: Verdict) -> AssetCheckEvaluation:
    target = _latest(instance, *key)
    return AssetCheckEvaluation(
        asset_key=AssetKey(key[0]),
        check_name=GATE,
        passed=verdict.passed,
        metadata=verdict_metadata(verdict),
        partition=key[1],
        target_materialization_data=target
        and AssetCheckEvaluationTargetMaterializationData(
            storage_id=target.storage_id, run_id=target.run_id, timestamp=target.timestamp
        ),
    )
