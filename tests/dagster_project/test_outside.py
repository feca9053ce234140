"""DVC's door: Dagster shows what `dvc repro` ran, once."""

from collections.abc import Callable

import pytest
from dagster import (
    AssetKey,
    AssetRecordsFilter,
    DagsterInstance,
    ExecuteInProcessResult,
    RunRequest,
    SkipReason,
    build_sensor_context,
)
from dvc.lock import Lock

from dagster_project.definitions import build
from semtok.stage import Key
from semtok.workspace import stage_key

pytestmark = pytest.mark.slow

Materialize = Callable[..., ExecuteInProcessResult]


@pytest.fixture
def tick(instance: DagsterInstance) -> Callable[..., list[str] | str]:
    """The sensor looks, and the job that it asks for runs."""
    cursor: list[str | None] = [None]

    def tick(toy) -> list[str] | str:
        defs = build(toy.root)
        context = build_sensor_context(
            instance=instance, cursor=cursor[0], sensor_name="dvc_lock", definitions=defs
        )
        answer = defs.get_sensor_def("dvc_lock")(context)
        cursor[0] = context.cursor
        if isinstance(answer, SkipReason):
            return str(answer.skip_message)
        assert isinstance(answer, RunRequest)
        result = defs.get_job_def("report_outside_runs").execute_in_process(instance=instance)
        assert result.success
        events = [event for event in result.all_events if event.is_step_materialization]
        return [stage_key(event.asset_key.path[0], event.partition) for event in events]

    return tick


def known_version(instance: DagsterInstance, key: Key) -> str | None:
    chosen = AssetRecordsFilter(AssetKey(key[0]), asset_partitions=[key[1]] if key[1] else None)
    (record,) = instance.fetch_materializations(chosen, limit=1).records
    assert record.asset_materialization and record.asset_materialization.tags
    return record.asset_materialization.tags["dagster/data_version"]


def test_reports_everything_once(
    built, instance: DagsterInstance, tick: Callable[..., list[str] | str]
) -> None:
    line = built.line
    assert tick(built) == [stage_key(*key) for key in line.keys]
    assert {key: known_version(instance, key) for key in line.keys} == line.versions()
    assert tick(built) == "dvc.lock has not changed"
    (built.root / "dvc.lock").touch()
    assert tick(built) == "dvc.lock has not changed"


def test_an_older_lock_that_comes_back_is_reported_again(
    built, instance: DagsterInstance, tick: Callable[..., list[str] | str]
) -> None:
    lock = built.root / "dvc.lock"
    new = lock.read_text()
    key = ("leaderboard", None)
    old = new.replace(built.line.versions()[key], "0123456789abcdef0123456789abcdef.dir")
    tick(built)
    for text in (old, new, old, new):  # as `git checkout` does
        lock.write_text(text)
        assert tick(built) == ["leaderboard"]
        assert known_version(instance, key) == built.line.versions()[key]


def test_what_dagster_ran_is_not_reported(
    built, materialize: Materialize, tick: Callable[..., list[str] | str]
) -> None:
    tick(built)
    built.set("extractors.annotated.masks", "instances")
    assert materialize(built, "masks", partition="annotated-val").success
    assert tick(built) == "Dagster knows it all"


def test_a_red_gate_shows_and_so_does_its_repair(
    built, instance: DagsterInstance, tick: Callable[..., list[str] | str]
) -> None:
    tick(built)
    key = ("masks", "annotated-val")
    before = built.line.versions()
    good = dict(built.line.params.checks["masks"])
    built.set("checks.masks", {**good, "fault": "annotated-val"})
    done = built.dvc("repro", "--single-item", "masks@annotated-val")
    assert done.returncode != 0
    assert "error: masks@annotated-val: duplicates: 1, expected at most 0" in done.stderr
    assert built.line.versions() == before
    assert built.line.folder(key).is_dir()  # the last good one

    assert tick(built) == []  # no new artifact
    assert checks(built, instance)["masks@annotated-val"] == "FAILED"
    assert tick(built) == "dvc.lock has not changed"

    built.set("checks.masks", good)  # DVC has nothing to run: the artifact is what it should be
    tick(built)
    assert set(checks(built, instance).values()) == {"SUCCEEDED"}


def test_reported_artifacts_are_fresh_until_something_changes(
    built, instance: DagsterInstance, tick: Callable[..., list[str] | str]
) -> None:
    tick(built)
    assert stale(built, instance) == {}
    (built.root / "semtok/bench/source.py").write_text("# changed\n")
    built.set("extractors.annotated.masks", "instances")
    assert built.dvc("repro", "--single-item", "masks@annotated-val").returncode == 0
    assert tick(built) == ["masks@annotated-val"]
    assert stale(built, instance) == {
        "scene_graphs@annotated-val": {"has a new dependency data version"},
        "token_shards@semantic-val": {"has a new dependency data version"},
        **{f"scores@{name}": {"has a new code version"} for name in built.line.params.variants},
        "leaderboard": {"has a new code version"},
    }


def test_a_file_that_dvc_is_just_writing_is_left_for_later(
    built, tick: Callable[..., list[str] | str]
) -> None:
    text = (built.root / "dvc.lock").read_text()
    with Lock(str(built.root / ".dvc" / "tmp" / "lock")):  # as DVC holds it
        (built.root / "dvc.lock").write_text(text[: len(text) // 2])
        assert tick(built) == "DVC is just writing dvc.lock"
        (built.root / "dvc.lock").write_text(text)
    assert len(tick(built)) == len(built.line.keys)


def checks(toy, instance: DagsterInstance) -> dict[str, str]:
    """What the UI says of each partition's check."""
    defs = build(toy.root)
    graph = defs.resolve_asset_graph()
    found = {}
    keys = [(key, graph.get(key).partitions_def) for key in graph.asset_check_keys]
    states = instance.event_log_storage.get_asset_check_state(keys)
    for stage, partition in toy.line.keys:
        (check,) = [key for key, _ in keys if key.asset_key.path == [stage]]
        for status, subset in states[check].subsets.items():
            held = subset.value.get_partition_keys() if partition else [None][: subset.size]
            if partition in held:
                found[stage_key(stage, partition)] = status.name
    return found


def stale(toy, instance: DagsterInstance) -> dict[str, set[str]]:
    """What Dagster holds for out of date, and why."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver
    from dagster._core.loader import LoadingContextForTest

    graph = build(toy.root).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    causes = {
        stage_key(*key): {
            cause.reason for cause in resolver.get_stale_causes(AssetKey(key[0]), key[1])
        }
        for key in toy.line.keys
    }
    return {name: reasons for name, reasons in causes.items() if reasons}
