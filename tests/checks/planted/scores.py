import json
from collections.abc import Callable
from pathlib import Path

from semtok.bench import unasked
from semtok.bench.cases import CASES
from tests.checks.planted import Fault, editing, repeating, setting
from tests.checks.tiny_line import Row

_CASES = ("cases.parquet", CASES)


def _without(**where: object) -> Callable[[Path], None]:
    def change(rows: list[Row]) -> list[Row]:
        return [row for row in rows if any(row[name] != value for name, value in where.items())]

    return editing(*_CASES, change)


def _guessing(rows: list[Row]) -> None:
    """Ranks go round all places."""
    for number, row in enumerate(rows):
        if row["benchmark"] == "retrieval":
            row["rank"] = 1 + 7 * number % row["candidates"]


def _guessing_with(seed: int) -> Callable[[list[Row]], None]:
    """Ranks go round all places in one task, of one seed."""

    def change(rows: list[Row]) -> None:
        for number, row in enumerate(rows):
            if (row["seed"], row["task"]) == (seed, "text_to_image"):
                row["rank"] = 1 + 7 * number % row["candidates"]

    return change


def _class(label: int, chosen: int) -> Callable[[Path], None]:
    """A case whose candidates are classes, and whose own ranks first."""
    return setting(*_CASES, 5, label=label, chosen=chosen, ordered=False, rank=1)


def _image(*similar: float, **others: object) -> Callable[[Path], None]:
    """The first case of siblings, which asks for the caption of an image, and is missed."""
    return setting(*_CASES, 180, similarities=[[*similar]], **others)


def _pair(similar: list[list[float]], **others: object) -> Callable[[Path], None]:
    """The first case that asks which caption is whose of two images, and is missed."""
    return setting(*_CASES, 300, similarities=similar, **others)


def _value(**others: object) -> Callable[[Path], None]:
    """The last case, which has a value."""
    return setting(*_CASES, -1, **others)


def _cost(name: str, value: object) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        path = folder / "costs.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

    return plant


def faults(key: str, seed: int) -> list[Fault]:
    """What can be wrong with scores.

    Args:
        key: of the artifact.
        seed: one of its trainings.
    """
    return [
        Fault(key, "ranks_out_of_range", setting(*_CASES, 5, rank=0), "case_id=106 rank=0"),
        Fault(key, "ranks_out_of_range", setting(*_CASES, 5, rank=121), "case_id=106 rank=121"),
        Fault(key, "ranks_out_of_range", setting(*_CASES, 5, blind=121), "case_id=106 rank="),
        Fault(key, "answers_out_of_range", setting(*_CASES, 5, answers=0), "case_id=106 rank="),
        Fault(key, "answers_out_of_range", setting(*_CASES, 5, answers=121), "answers=121"),
        Fault(key, "answers_out_of_range", setting(*_CASES, 5, truths=1), "answers=2 truths=1"),
        Fault(key, "classes_out_of_range", setting(*_CASES, 5, label=0), "case_id=106 rank="),
        Fault(key, "classes_out_of_range", setting(*_CASES, 5, chosen=0), "case_id=106 rank="),
        Fault(key, "classes_out_of_range", setting(*_CASES, 5, ordered=True), "case_id=106 rank="),
        Fault(key, "classes_out_of_range", _class(0, 1), "case_id=106 rank=1"),
        Fault(key, "classes_out_of_range", _class(121, 121), "case_id=106 rank=1"),
        Fault(key, "values_not_finite", _value(value=float("nan")), "case_id=160 rank=None"),
        Fault(key, "values_not_finite", _value(loss=None), "case_id=160 rank=None"),
        Fault(key, "values_not_finite", _value(rank=1), "case_id=160 rank=1"),
        Fault(key, "values_not_finite", setting(*_CASES, 5, loss=False), "case_id=106 rank="),
        Fault(
            key,
            "ranks_out_of_range",
            _value(value=None, loss=None),
            "case_id=160 rank=None",
            {"answers_out_of_range"},
        ),
        Fault(key, "similarities_against_ranks", _image(0.3, 0.2), "task=caption seed=0"),
        Fault(key, "similarities_against_ranks", _image(0.2, 0.200003, rank=1), "rank=1"),
        Fault(key, "similarities_against_ranks", _image(0.2, float("nan")), "task=caption seed=0"),
        Fault(key, "similarities_against_ranks", _image(0.2, 1.1), "task=caption seed=0"),
        Fault(key, "similarities_against_ranks", _image(0.2, 0.3, 0.4), "task=caption seed=0"),
        Fault(key, "similarities_against_ranks", _image(), "task=caption seed=0"),
        Fault(
            key, "similarities_against_ranks", _pair([[0.2, 0.3], [0.3, 0.2]], rank=1), "task=text"
        ),
        Fault(key, "similarities_against_ranks", _pair([[0.2, 0.3], [0.3]]), "task=text seed=0"),
        Fault(key, "similarities_against_ranks", _pair([[0.2], [0.3]]), "task=text seed=0"),
        Fault(key, "duplicate_cases", repeating(*_CASES), "seed=0 case_id=101"),
        Fault(key, "missing_cases", _without(seed=seed, case_id=1050), f"{seed=} case_id=1050"),
        Fault(
            key,
            "missing_tasks",
            _without(seed=seed, task="image_to_text"),
            f"retrieval split=val task=image_to_text {seed=}",
            {"missing_cases"},
        ),
        Fault(
            key,
            "missing_tasks",
            _without(benchmark="retrieval"),
            "retrieval split=val task=",
            {"missing_cases", "chance_p_value"},
        ),
        Fault(
            key,
            "missing_tasks",
            _without(seed=seed, task="group/roles"),
            f"siblings split=val task=group/roles {seed=}",
            {"missing_cases"},
        ),
        Fault(
            key,
            "refusals_untrue",
            lambda folder: unasked.write(folder, {"siblings": "it is blind"}),
            "benchmark=siblings said=it is blind true=None",
        ),
        Fault(key, "missing_costs", _cost("flops_per_image", float("inf")), "cost=flops_per_image"),
        Fault(key, "chance_p_value", editing(*_CASES, _guessing), "task="),
        Fault(
            key,
            "chance_p_value",
            editing(*_CASES, _guessing_with(seed)),
            f"task=text_to_image {seed=} metric=",
        ),
    ]


FAULTS = [
    *faults("scores@semantic", seed=1),
    Fault(
        "scores@semantic", "missing_costs", _cost("training_seconds", 0), "cost=training_seconds"
    ),
    Fault(
        "scores@semantic",
        "missing_costs",
        _cost(
            "spending", [{"budget": 0.5, "weight": 0.0, "share": 0.0, "others": 0.0, "flops": 0.0}]
        ),
        "cost=flops_per_image_at_0.5",
    ),
]
