"""A run whose process was killed does not keep the pool from those after it."""

import subprocess
import sys
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus, build_sensor_context, job, op

from dagster_project.definitions import build
from dagster_project.gone import end_gone_runs

REPO = Path(__file__).parents[2]

#: A run that kills its own process, in the Dagster home of its argument.
_KILLED = """
import os, signal, sys
from dagster import DagsterInstance, job, op

@op
def die():
    os.kill(os.getpid(), signal.SIGKILL)

@job
def killed():
    die()

killed.execute_in_process(instance=DagsterInstance.local_temp(sys.argv[1]))
"""


def test_the_sensor_ends_a_run_that_was_killed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILLED, tmp_path], capture_output=True, check=False)
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        (run,) = instance.get_runs()
        assert run.status == DagsterRunStatus.STARTED
        defs = build(REPO)
        context = build_sensor_context(instance, sensor_name="dvc_lock", definitions=defs)
        defs.get_sensor_def("dvc_lock")(context)
        (run,) = instance.get_runs()
        assert run.status == DagsterRunStatus.FAILURE


def test_a_run_whose_process_lives_goes_on() -> None:
    with DagsterInstance.ephemeral() as instance:
        seen = []

        @op
        def look() -> None:
            end_gone_runs(instance)
            seen.extend(run.status for run in instance.get_runs())

        @job
        def living() -> None:
            look()

        assert living.execute_in_process(instance=instance).success
        assert seen == [DagsterRunStatus.STARTED]
