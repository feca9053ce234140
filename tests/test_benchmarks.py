"""`python -m benchmarks` runs, and README prints what it wrote."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_file_of_benchmarks_prints_its_rows_and_leaves_the_results() -> None:
    before = (ROOT / "benchmarks/results.json").read_bytes()
    command = [sys.executable, "-m", "benchmarks", "--only", "budget", "--scale", "0.01"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gates:") == 3
    assert (ROOT / "benchmarks/results.json").read_bytes() == before


def test_the_readme_has_the_figures_of_the_results() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    results = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))
    judged = [row for row in results if row["goal"] is not None and row["ratio"] is not None]
    assert judged
    for row in judged:
        name = f"`{row['name']}`" if "semtok" in row["name"] else row["name"]
        verdict = "met" if row["met"] else "missed"
        goal = f"{row['direction']} {row['goal']:g}"
        assert f"| {name} | {row['ratio']:.2f} | {goal} | {verdict} |" in readme
