"""Runs whose process is gone: killed, or lost when the machine went down.

Dagster takes them for running for ever, and as the pool has room for one run, all that is started
after them would wait for ever.
"""

import psutil
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

_STARTED = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def end_gone_runs(instance: DagsterInstance) -> None:
    """Let the runs fail whose process is gone; what DVC had finished of them stays finished."""
    for run in instance.get_runs(RunsFilter(statuses=_STARTED)):
        if _is_gone(instance, run):
            instance.report_run_failed(
                run, "the run's process was killed; start it again, and DVC goes on where it was"
            )


def _is_gone(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether the process that said that it starts the run has ended since."""
    started = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.RUN_START).records
    event = started[-1].event_log_entry if started else None
    if event is None or event.dagster_event is None or event.dagster_event.pid is None:
        return False
    try:
        process = psutil.Process(event.dagster_event.pid)
        # A later process may have its number.
        later = process.create_time() > event.timestamp
        return later or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
