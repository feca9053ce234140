"""What Dagster is told, as JSON: a change of lineage shows in review.

After a change that is meant: `python tests/dagster_project/test_snapshot.py`.
"""

import json
from pathlib import Path
from typing import Any

from dagster import (
    AssetsDefinition,
    Definitions,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
)

from dagster_project import dvc
from dagster_project.definitions import build
from semtok import params_file, pipeline

PATH = Path(__file__).with_name("snapshot.json")
REPO = Path(__file__).parents[2]


def snapshot(defs: Definitions) -> dict[str, Any]:
    """All that people see; code versions aside, which change with every edit."""
    repository = defs.get_repository_def()
    jobs = [each for each in repository.get_all_jobs() if not each.name.startswith("__")]
    return {
        "assets": {
            each.key.to_user_string(): _asset(each)
            for each in defs.assets or []
            if isinstance(each, AssetsDefinition)
        },
        "jobs": {each.name: each.description for each in jobs},
        "schedules": {
            each.name: f"{each.cron_schedule}: {each.job_name}, {each.default_status.value}"
            for each in repository.schedule_defs
        },
        "sensors": {
            each.name: f"{each.job_name}, {each.default_status.value}"
            for each in repository.sensor_defs
        },
    }


def _asset(definition: AssetsDefinition) -> dict[str, Any]:
    (spec,) = definition.specs
    return {
        "description": spec.description,
        "group": spec.group_name,
        "owners": list(spec.owners),
        "kinds": sorted(spec.kinds),
        "source": spec.metadata.get("source"),
        "pool": definition.op.pool,
        "partitions": _keys(spec.partitions_def),
        "checks": {each.name: _keys(each.partitions_def) for each in definition.check_specs},
        "reads": {
            dep.asset_key.to_user_string(): dict(
                dep.partition_mapping.downstream_partition_keys_by_upstream_partition_key
            )
            if isinstance(dep.partition_mapping, StaticPartitionMapping)
            else None
            for dep in spec.deps
        },
    }


def _keys(definition: Any) -> list[str] | None:
    if isinstance(definition, StaticPartitionsDefinition):
        return list(definition.get_partition_keys())
    return None


def test_definitions_are_the_reviewed_ones() -> None:
    assert snapshot(build(REPO)) == json.loads(PATH.read_text()), (
        "meant? `python tests/dagster_project/test_snapshot.py`"
    )


def test_every_dvc_step_is_in_the_pool() -> None:
    assets = snapshot(build(REPO))["assets"]
    assert {name for name, asset in assets.items() if asset["pool"] == dvc.POOL} == {
        name for name, _ in pipeline.all_keys(params_file.load(REPO / "params.yaml"))
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(snapshot(build(REPO)), indent=1) + "\n")
