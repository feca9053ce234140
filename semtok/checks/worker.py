"""The gate's own process: imports Great Expectations while the stage works, then judges.

`python -m semtok.checks.worker STAGE` reads one JSON request a line from stdin and answers each
with one line on stdout; it ends with its stdin, so it never outlives the stage.
"""

import dataclasses
import gc
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from semtok.checks import subject
from semtok.checks.postponed import postpone
from semtok.errors import SemtokError


def main() -> None:
    """Answer requests until stdin ends."""
    # Libraries print; the answers keep stdout for themselves.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    stage, judge = _get_ready(sys.argv[1])
    for line in sys.stdin:
        answers.write(json.dumps(_answer(stage, judge, json.loads(line))) + "\n")
        answers.flush()


def _get_ready(name: str) -> tuple[Any, Any]:
    """The suite of a stage, and what judges by it."""
    # Great Expectations imports both for expectations that no suite has: a third of its import.
    postpone("altair", "scipy.stats")
    gc.disable()  # nothing of a library is garbage, and looking for it takes a tenth
    from semtok.checks.judging import Judge

    stage = importlib.import_module(f"semtok.checks.{name}")
    judge = Judge()
    _warm_up(judge)
    gc.freeze()
    gc.enable()
    return stage, judge


def _warm_up(judge: Any) -> None:
    """The first judgement loads code for the later ones: let it be one that nobody waits for."""
    import polars as pl

    from semtok.checks.rules import Rule, count, none

    rule = Rule("below_zero", "numbers are not below zero", pl.col("number") < 0)
    summary = count(pl.DataFrame({"number": [0]}), [rule], ["number"])
    judge.judge({"numbers": summary}, {"numbers": none(rule)})


def _answer(stage: Any, judge: Any, request: dict[str, Any]) -> dict[str, Any]:
    inputs = {key: Path(folder) for key, folder in request["inputs"].items()}
    try:
        judged = subject.read(Path(request["artifact"]), inputs)
        suite = stage.suite(stage.Settings(**request["settings"]))
        results = judge.judge(stage.summarise(judged), suite)
    except SemtokError as error:
        return {"error": str(error)}
    return {"stage": judged.key, "checks": [dataclasses.asdict(result) for result in results]}


if __name__ == "__main__":
    main()
