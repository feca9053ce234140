"""How soon a person gets an answer: `import semtok` and `semtok --help` as whole processes."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result

#: Name -> command and budget in seconds.
BUDGETS = {
    "import semtok": ([sys.executable, "-c", "import semtok"], 0.3),
    "semtok --help": ([str(Path(sys.executable).with_name("semtok")), "--help"], 0.6),
}


def run(scale: float) -> Iterator[Result]:
    """Start processes one after the other; the interpreter's own start counts."""
    repetitions = max(3, round(9 * scale))
    times: dict[str, list[float]] = {name: [] for name in BUDGETS}
    for _ in range(repetitions):
        for name, (command, _) in BUDGETS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
    for name, (_, budget) in BUDGETS.items():
        yield Result(
            name=name,
            ours=statistics.median(times[name]),
            peer=budget,
            unit="s",
            at_most=1.0,
            command="python -m benchmarks --only starting",
            packages=("typer", "rich"),
            note="the budget",
        )
