"""Run the benchmarks: `python -m benchmarks [--scale S] [--only NAME]`."""

import argparse
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.result import Result

MODULES = (
    "starting",
    "superpixels",
    "extraction",
    "tokenizing",
    "loading",
    "memory",
    "scaling",
    "clustering",
    "budget",
    "retrieval",
    "reference",
    "training",
)
RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Measure, print, and write results.json if everything was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of data and repetitions; 1 takes seven minutes"
    )
    parser.add_argument("--only", choices=MODULES, help="one of them; results.json stays as it is")
    options = parser.parse_args()
    _use_one_core()
    console = Console()
    results: list[Result] = []
    for name in [options.only] if options.only else MODULES:
        run: Callable[[float], Iterator[Result]] = import_module(f"benchmarks.{name}").run
        with console.status(f"measuring {name} ..."):
            results += run(options.scale)
    console.print(_table(results))
    if not options.only:
        rows = [result.to_json() for result in results]
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        console.print("written to benchmarks/results.json")


def _use_one_core() -> None:
    import cv2
    import pyarrow as pa
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _table(results: list[Result]) -> Table:
    table = Table("benchmark", "ours", "peer", "unit", "ratio", "goal", "")
    for result in results:
        missing = "" if result.ratio is not None else "[yellow]not run"
        verdict = {True: "[green]met", False: "[red]missed", None: missing}[result.met]
        numbers = [_short(value) for value in (result.ours, result.peer)]
        ratio = "-" if result.ratio is None else f"{result.ratio:.2f}"
        name = result.name if result.ratio is not None else f"{result.name}: {result.note}"
        table.add_row(name, *numbers, result.unit, ratio, result.goal, verdict)
    return table


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
