import json
from collections.abc import Callable
from pathlib import Path

from semtok.bench.cases import CASES
from tests.checks.planted import Fault, editing, repeating, setting
from tests.checks.tiny_line import Row

_KEY = "scores@semantic"
_CASES = ("cases.parquet", CASES)


def _without(**where: object) -> Callable[[Path], None]:
    def change(rows: list[Row]) -> list[Row]:
        return [row for row in rows if any(row[name] != value for name, value in where.items())]

    return editing(*_CASES, change)


def _guessing(rows: list[Row]) -> None:
    """Ranks go round all places."""
    for number, row in enumerate(rows):
        row["rank"] = 1 + 7 * number % row["candidates"]


def _one_seed_guesses(rows: list[Row]) -> None:
    """Ranks go round all places in one task, of one seed."""
    for number, row in enumerate(rows):
        if (row["seed"], row["task"]) == (1, "text_to_image"):
            row["rank"] = 1 + 7 * number % row["candidates"]


def _cost(name: str, value: float) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        path = folder / "costs.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

    return plant


FAULTS = [
    Fault(_KEY, "ranks_out_of_range", setting(*_CASES, 5, rank=0), "case_id=106 rank=0"),
    Fault(_KEY, "ranks_out_of_range", setting(*_CASES, 5, rank=121), "case_id=106 rank=121"),
    Fault(_KEY, "ranks_out_of_range", setting(*_CASES, 5, blind=121), "case_id=106 rank="),
    Fault(_KEY, "answers_out_of_range", setting(*_CASES, 5, answers=0), "case_id=106 rank="),
    Fault(_KEY, "answers_out_of_range", setting(*_CASES, 5, answers=121), "answers=121"),
    Fault(_KEY, "answers_out_of_range", setting(*_CASES, 5, truths=1), "answers=2 truths=1"),
    Fault(_KEY, "duplicate_cases", repeating(*_CASES), "seed=0 case_id=101"),
    Fault(_KEY, "missing_cases", _without(seed=1, case_id=1050), "seed=1 case_id=1050"),
    Fault(
        _KEY,
        "missing_tasks",
        _without(seed=1, task="image_to_text"),
        "retrieval split=val task=image_to_text seed=1",
        {"missing_cases"},
    ),
    Fault(
        _KEY,
        "missing_tasks",
        _without(benchmark="retrieval"),
        "retrieval split=val task=",
        {"missing_cases", "chance_p_value"},
    ),
    Fault(
        _KEY,
        "missing_tasks",
        _without(seed=1, task="group/roles"),
        "siblings split=val task=group/roles seed=1",
        {"missing_cases"},
    ),
    Fault(_KEY, "missing_costs", _cost("training_seconds", 0), "cost=training_seconds value=0"),
    Fault(_KEY, "missing_costs", _cost("flops_per_image", float("inf")), "cost=flops_per_image"),
    Fault(_KEY, "chance_p_value", editing(*_CASES, _guessing), "task="),
    Fault(
        _KEY,
        "chance_p_value",
        editing(*_CASES, _one_seed_guesses),
        "task=text_to_image seed=1 metric=",
    ),
]
