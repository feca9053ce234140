"""What a stage tells Dagster; under Dagster it is tested in tests/dagster_project."""

import subprocess
import sys

ALONE = """
import sys
from semtok import pipes
from semtok.checks.verdict import Verdict
from semtok.events import Message, Metrics, Progress

with pipes.session("masks", "annotated-val") as listener:
    listener.emit(Message("hello"))
    listener.emit(Progress("work", 1, 2))
    listener.emit(Metrics(1, {"loss": 1.0}))
    listener.check(Verdict("masks@annotated-val", True, "0" * 32, ()))
assert "dagster_pipes" not in sys.modules
"""


def test_without_dagster_nobody_is_told() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
