"""Variants against a baseline on the same cases: points, relative gains, paired intervals."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from semtok.bench import guessing, holm, protocol
from semtok.bench.cases import Ranks, Task, by_task, check_same_cases, higher_is_better, telling
from semtok.bench.guessing import Bounds
from semtok.bench.intervals import Interval, Resampled, resample
from semtok.errors import SemtokError
from semtok.params import SPLITS

#: Stands for the verdict of a model that was trained elsewhere, not under the protocol; and of a
#: variant where the baseline could not be asked.
OUTSIDE, ALONE = "outside", "alone"

#: Of 1 - confidence.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Row:
    """One metric of one variant, beside the baseline's.

    Attributes:
        value: in percent, median ranks from 1; mean over seeds.
        points: the variant's value minus the baseline's, in the metric's own unit; None for the
            baseline itself, and where it was not asked, as `relative`; of a model that was trained
            elsewhere, what lies between the two, data and size and recipe included.
        relative: the variant's value over the baseline's, minus 1, in percent; None where either
            does not count from 0 (`intervals.Resampled.from_zero`).
        p: two-sided p-value of `points` (`intervals.Resampled.p_value`); None where these are, and
            for what was trained elsewhere, of which nothing is claimed.
        p_adjusted: the same by Holm, among all variants that are compared with the baseline by
            this metric of this task.
        verdict: `better` or `worse` where `p_adjusted` is at most 1 - confidence, else `undecided`;
            `baseline` for the baseline itself, `outside` for a model that was trained elsewhere,
            `alone` for a variant where the baseline could not be asked.
    """

    benchmark: str
    split: str
    task: str
    metric: str
    variant: str
    value: Interval
    points: Interval | None
    relative: Interval | None
    p: float | None
    p_adjusted: float | None
    verdict: str

    @property
    def of(self) -> Task:
        """The task that the metric is of."""
        return Task(self.benchmark, self.split, self.task)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        baseline: the variant that the others are compared with.
        seeds: variant -> its number of trainings, the baseline first.
        cases: task -> its number of cases.
        bounds: task -> between what its metrics lie.
        rows: by task, metric and variant, in this order.
        resamples: of each interval.
        confidence: of each interval, 0..1.
        protocol: its version.
        label: `smoke run (...)` where no claim may rest on it, else empty.
        outside: models that were trained elsewhere, which have rows as well. No verdict on a
            variant depends on them.
        unasked: benchmark -> the variants and models that it could not be asked of, which have no
            rows in it.
    """

    baseline: str
    seeds: Mapping[str, int]
    cases: Mapping[Task, int]
    bounds: Mapping[Task, Bounds]
    rows: tuple[Row, ...]
    resamples: int
    confidence: float
    protocol: str
    label: str
    outside: tuple[str, ...] = ()
    unasked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All that have rows: the baseline, the other variants, what was trained elsewhere."""
        return [*self.seeds, *self.outside]

    @property
    def resamples_suffice(self) -> bool:
        """Whether the smallest p-value of so many resamples is small enough for a verdict."""
        smallest = 2 / (1 + self.resamples)
        return (len(self.seeds) - 1) * smallest <= 1 - self.confidence + _ROUNDING

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        cases = [
            {**task._asdict(), "cases": count, **asdict(self.bounds[task])}
            for task, count in self.cases.items()
        ]
        rest = asdict(replace(self, cases={}, bounds={}))
        rest.pop("bounds")
        return {**rest, "cases": cases}


def compare(
    cases: Mapping[str, pa.Table],
    baseline: str,
    resamples: int,
    confidence: float,
    seed: int = 0,
    outside: Collection[str] = (),
    unasked: Mapping[str, Collection[str]] | None = None,
) -> Comparison:
    """Compare variants with a baseline on every task and metric.

    Args:
        cases: variant -> its cases (`cases.CASES`).
        baseline: one of them.
        resamples: of each interval.
        confidence: of each interval, 0..1.
        seed: of the resampling.
        outside: which of them are models that were trained elsewhere.
        unasked: variant or model -> the benchmarks that it could not be asked (`unasked.py`), and
            lacks.

    Raises:
        SemtokError: there is no such baseline, or it was trained elsewhere, or they were scored on
            different cases.
    """
    if baseline not in cases:
        known = ", ".join(cases)
        raise SemtokError(f"baseline {baseline}: has no scores; there are those of {known}")
    if baseline in outside:
        raise SemtokError(
            f"baseline {baseline}: was trained elsewhere and not under the protocol; name a "
            "variant first"
        )
    names = [baseline, *(name for name in cases if name != baseline and name not in outside)]
    others = [name for name in cases if name in outside]
    tasks = {name: by_task(cases[name]) for name in (*names, *others)}
    unasked = unasked or {}
    first = _first_of_each(tasks, names, unasked)
    for name in others:
        left_out = unasked.get(name, ())
        wanted = {task: each for task, each in first.items() if task.benchmark not in left_out}
        check_same_cases({baseline: wanted, name: tasks[name]})
    rows: list[Row] = []
    for task, cases_of_task in first.items():
        # Variants first: what is drawn for them is the same with and without the others.
        there = [name for name in (*names, *others) if task in tasks[name]]
        drawn = resample([tasks[name][task] for name in there], resamples, seed)
        for metric in telling(cases_of_task):
            found = dict(zip(there, (each[metric] for each in drawn), strict=True))
            beside = found.get(baseline)
            family = {name: found.pop(name) for name in names if name in found}
            if beside is None:
                rows += [
                    _alone(task, metric, name, each, confidence)
                    for name, each in (family | found).items()
                ]
                continue
            rows += rows_of(task, metric, family, confidence)
            for name, each in found.items():
                rows.append(_outside(task, metric, name, each, beside, confidence))
    seeds = {name: min(len(each.seeds) for each in tasks[name].values()) for name in names}
    return Comparison(
        baseline=baseline,
        seeds=seeds,
        cases={task: len(each.case_ids) for task, each in first.items()},
        bounds={task: guessing.bounds(each) for task, each in first.items()},
        rows=tuple(rows),
        resamples=resamples,
        confidence=confidence,
        protocol=protocol.VERSION,
        label=protocol.label(min(seeds.values())),
        outside=tuple(others),
        unasked=_by_benchmark([*names, *others], unasked),
    )


def _first_of_each(
    tasks: Mapping[str, Mapping[Task, Ranks]],
    names: Sequence[str],
    unasked: Mapping[str, Collection[str]],
) -> dict[Task, Ranks]:
    """The cases of every task, of the first variant that was asked; checks that all have the same.

    Raises:
        SemtokError: they have not.
    """
    found: dict[Task, Ranks] = {}
    for benchmark in sorted({task.benchmark for name in names for task in tasks[name]}):
        asked = {
            name: {task: each for task, each in tasks[name].items() if task.benchmark == benchmark}
            for name in names
            if benchmark not in unasked.get(name, ())
        }
        check_same_cases(asked)
        found |= next(iter(asked.values()))
    return found


def _by_benchmark(
    names: Sequence[str], unasked: Mapping[str, Collection[str]]
) -> dict[str, tuple[str, ...]]:
    """Benchmark -> the variants and models that it could not be asked of."""
    benchmarks = sorted({each for name in names for each in unasked.get(name, ())})
    return {
        each: tuple(name for name in names if each in unasked.get(name, ())) for each in benchmarks
    }


def final_tasks(comparison: Comparison) -> list[Task]:
    """The whole tasks that final numbers are of: those of test, where it was scored, then novel."""
    scored = {task.split for task in comparison.cases}
    final = max(scored - {"novel"}, key=SPLITS.index)
    tasks = [task for task in comparison.cases if not task.is_part]
    return [task for split in (final, "novel") for task in tasks if task.split == split]


def decide(points: Interval, p: float, metric: str, confidence: float) -> str:
    """The verdict on a difference: `better`, `worse` or `undecided`.

    Args:
        points: its paired interval of this confidence.
        p: its p-value, adjusted where it is one of several.
        metric: of which it is a difference.
        confidence: 0..1.
    """
    if p > 1 - confidence + _ROUNDING:
        return "undecided"
    # So small a p-value belongs to an interval that leaves 0 out, and so to a side of it.
    above = points.low is not None and points.low > 0
    return "better" if above == higher_is_better(metric) else "worse"


def rows_of(
    task: Task, metric: str, found: Mapping[str, Resampled], confidence: float
) -> Iterator[Row]:
    """The rows of one metric of a task: the baseline's, then those of the family around it."""
    (first, baseline), *others = found.items()
    yield Row(
        *task, metric, first, baseline.interval(confidence), None, None, None, None, "baseline"
    )
    p_values = [each.p_value(baseline) for _, each in others]
    for (name, each), p, adjusted in zip(others, p_values, holm.adjust(p_values), strict=True):
        points = each.difference(baseline, confidence)
        yield Row(
            *task,
            metric=metric,
            variant=name,
            value=each.interval(confidence),
            points=points,
            relative=_relative(each, baseline, confidence),
            p=p,
            p_adjusted=adjusted,
            verdict=decide(points, adjusted, metric, confidence),
        )


def _alone(task: Task, metric: str, name: str, found: Resampled, confidence: float) -> Row:
    """The row of a variant, or outside model, where there is nothing to hold it against."""
    return Row(*task, metric, name, found.interval(confidence), None, None, None, None, ALONE)


def _outside(
    task: Task,
    metric: str,
    name: str,
    found: Resampled,
    baseline: Resampled,
    confidence: float,
) -> Row:
    """The row of a model that was trained elsewhere: by how much it differs, and no verdict."""
    return Row(
        *task,
        metric=metric,
        variant=name,
        value=found.interval(confidence),
        points=found.difference(baseline, confidence),
        relative=_relative(found, baseline, confidence),
        p=None,
        p_adjusted=None,
        verdict=OUTSIDE,
    )


def _relative(found: Resampled, baseline: Resampled, confidence: float) -> Interval | None:
    """The gain over the baseline as a ratio, where both count from 0."""
    if not (found.from_zero and baseline.from_zero):
        return None
    return found.relative(baseline, confidence)
