"""The gate of `scores`: complete cases, possible ranks, and more than guessing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from semtok.bench.cases import CASES, Task
from semtok.checks import similarities
from semtok.checks.chance import against_chance, clearest
from semtok.checks.rules import Rule, Suite, at_most, beside, count, none, there
from semtok.checks.subject import Subject
from semtok.data.index import annotations
from semtok.tables import read_table

if TYPE_CHECKING:
    from semtok.bench.costs import Encoding
    from semtok.bench.embedding import Images

_CASE = [*Task._fields, "seed", "case_id"]
_REFUSAL = ["benchmark", "said", "true"]


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    chance_level: float = 0.001  # guessing may reach a score with this probability; 1: any score


#: Where a case has a value, it was asked nothing that these say.
_OF_RANKS = ("rank", "candidates", "answers", "truths", "blind", "label")


def _ranked(broken: pl.Expr) -> pl.Expr:
    """What is wrong with a case that has a rank."""
    return pl.when(pl.col("value").is_null()).then(broken.fill_null(True)).otherwise(False)


_OF_A_CASE = (
    Rule(
        "values_not_finite",
        "a case has a rank, or a finite value that is a loss or none, and not both",
        pl.when(pl.col("value").is_null())
        .then(pl.col("loss").is_not_null())
        .otherwise(
            ~pl.col("value").is_finite()
            | pl.col("loss").is_null()
            | pl.any_horizontal(pl.col(*_OF_RANKS).is_not_null())
        ),
    ),
    Rule(
        "ranks_out_of_range",
        "ranks lie in 1..candidates",
        _ranked(
            ~pl.col("rank").is_between(1, pl.col("candidates"))
            | ~pl.col("blind").is_between(1, pl.col("candidates")).fill_null(True)
        ),
    ),
    Rule(
        "answers_out_of_range",
        "of the candidates some are right, and what is right is true",
        _ranked(
            ~pl.col("answers").is_between(1, pl.col("candidates"))
            | ~pl.col("truths").is_between(pl.col("answers"), pl.col("candidates")).fill_null(True)
        ),
    ),
    Rule(
        "classes_out_of_range",
        "where candidates are classes, the one chosen is the case's own if and only if it ranks 1",
        pl.when(pl.col("label").is_null())
        .then(pl.any_horizontal(pl.col("chosen", "ordered").is_not_null()))
        .otherwise(
            pl.any_horizontal(
                (pl.col(name) < 0) | (pl.col(name) >= pl.col("candidates"))
                for name in ("label", "chosen")
            )
            | ((pl.col("label") == pl.col("chosen")) != (pl.col("rank") == 1))
            | pl.col("ordered").is_null()
        )
        .fill_null(True),
    ),
    similarities.RULE,
    Rule("duplicate_cases", "every case occurs once", pl.struct(_CASE).is_duplicated()),
)
_OF_A_WANTED_CASE = (
    Rule(
        "missing_cases",
        "every seed was scored on every case of the splits that have tokens",
        ~pl.col("there"),
    ),
)
_OF_A_TASK = (
    Rule(
        "missing_tasks",
        "every seed was asked all tasks of every benchmark on every split",
        ~pl.col("there"),
    ),
)
_OF_A_REFUSAL = (
    Rule(
        "refusals_untrue",
        "unasked.json names the benchmarks that such a model cannot be asked, and why",
        pl.col("said").ne_missing(pl.col("true")),
    ),
)
_OF_A_COST = (
    Rule(
        "missing_costs",
        "costs are positive numbers",
        ~((pl.col("value") > 0) & pl.col("value").is_finite()),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of a variant's cases, and set each task's clearest recall against chance."""
    from semtok.bench import costs, scoring  # torch, which settings alone do not need
    from semtok.tokens.shards import TokenShards

    bench, checkpoint = subject.params["bench"], subject.input("checkpoint")
    return judged(
        subject,
        {each: TokenShards(subject.input("token_shards", each)) for each in bench["splits"]},
        [*scoring.seed_folders(checkpoint)],
        scoring.refusals(checkpoint, bench["benchmarks"]),
        costs.read(subject.artifact),
    )


def judged(
    subject: Subject,
    images: Mapping[str, "Images"],
    numbers: Sequence[int],
    left_out: Mapping[str, str],
    cost: "Encoding",
) -> dict[str, pl.DataFrame]:
    """The same of any model.

    Args:
        subject: its scores.
        images: split -> the images that it was to be scored on.
        numbers: the seeds of its trainings.
        left_out: the benchmarks that it cannot be asked, and why.
        cost: what it takes, of a variant also what its training took.
    """
    from semtok.bench import benchmark, unasked

    asked = [name for name in subject.params["bench"]["benchmarks"] if name not in left_out]
    said = unasked.read(subject.artifact)
    refusals = [(name, said.get(name), left_out.get(name)) for name in sorted({*said, *left_out})]
    cases = pl.DataFrame(read_table(subject.artifact / "cases.parquet", CASES))
    seeds = pl.DataFrame({"seed": pl.Series(numbers, dtype=pl.Int32)})
    paid = asdict(cost)
    paid |= {f"parameters_{role}": number for role, number in paid.pop("parameters").items()}
    extraction = paid.pop("extraction", None) or {}
    paid |= {f"extraction_{name}": each for name, each in extraction.items()}
    # Within a budget gates may leave no token, and what is left still costs something.
    spent = paid.pop("spending", None) or ()
    paid |= {f"flops_per_image_at_{each['budget']:g}": each["flops"] for each in spent}
    # A variant may have no bias tables, but nothing works without the others.
    paid.pop("parameters_bias")
    paid = {name: each for name, each in paid.items() if each is not None}  # nobody measured it
    wanted = _wanted(subject, images, asked).join(seeds, how="cross")
    tasks = wanted.select(*Task._fields, "seed").unique(maintain_order=True)
    demanding = [name for name in asked if benchmark.find(name).CLEARS_CHANCE]
    guessed = pl.col("benchmark").is_in(demanding) & pl.col("rank").is_not_null()
    return {
        "cases": beside(
            count(cases, _OF_A_CASE, [*_CASE, "rank", "candidates", "answers", "truths"]),
            count(there(wanted, cases), _OF_A_WANTED_CASE, _CASE),
            count(there(tasks, cases), _OF_A_TASK, [*Task._fields, "seed"]),
            count(
                pl.DataFrame(refusals, dict.fromkeys(_REFUSAL, pl.String), orient="row"),
                _OF_A_REFUSAL,
                _REFUSAL,
            ),
            count(
                pl.DataFrame(
                    {
                        "cost": list(paid),
                        "value": [float(each) for each in paid.values()],
                    }
                ),
                _OF_A_COST,
                ["cost", "value"],
            ),
        ),
        "chance": clearest(against_chance(cases.filter(guessed))),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "cases": none(*(*_OF_A_CASE, *_OF_A_WANTED_CASE, *_OF_A_TASK, *_OF_A_REFUSAL, *_OF_A_COST)),
        "chance": [
            at_most(
                "chance_p_value",
                settings.chance_level,
                "in every task some recall is beyond what guessing reaches (binomial bound)",
            )
        ],
    }


def _wanted(
    subject: Subject, images: Mapping[str, "Images"], benchmarks: Sequence[str]
) -> pl.DataFrame:
    """Every case of every benchmark and split that was asked for."""
    from semtok.bench import benchmark

    known, settings = annotations(subject.input("index")), subject.params["bench"].get("settings")
    frames = [pl.DataFrame(schema={**dict.fromkeys(Task._fields, pl.String), "case_id": pl.Int64})]
    for split, of_split in images.items():
        data = benchmark.split_data(split, of_split, known, settings)
        for name in benchmarks:
            frames += [
                pl.DataFrame({"case_id": ids}, schema={"case_id": pl.Int64}).select(
                    benchmark=pl.lit(name),
                    split=pl.lit(split),
                    task=pl.lit(task),
                    case_id="case_id",
                )
                for task, ids in benchmark.find(name).case_ids(data).items()
            ]
    return pl.concat(frames)
