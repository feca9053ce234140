"""Dagster's code location: the assets of the line, its jobs, its schedule and its sensor."""

from pathlib import Path

from dagster import Definitions, in_process_executor

from dagster_project.assets import stage_assets
from dagster_project.jobs import line_jobs, nightly
from dagster_project.line import Line
from dagster_project.outside import outside_job, outside_sensor
from dagster_project.registry import registry_assets


def build(root: Path) -> Definitions:
    """All definitions of one project.

    Args:
        root: its folder, with `params.yaml` and `dvc.yaml`.
    """
    line = Line.load(root)
    line_job, new_variant, rescore = line_jobs(line)
    report_outside_runs = outside_job(line)
    return Definitions(
        assets=[*stage_assets(line), *registry_assets(line)],
        jobs=[line_job, new_variant, rescore, report_outside_runs],
        schedules=[nightly(rescore)],
        sensors=[outside_sensor(line, report_outside_runs)],
        # The work is a subprocess already; a process more per step costs seconds.
        executor=in_process_executor,
    )


defs = build(Path.cwd())
