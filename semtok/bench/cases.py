"""Per-case results: what every benchmark writes and every metric and interval is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import agreement, protocol
from semtok.errors import SemtokError
from semtok.tables import TableSchema

#: One row a case and training. Its rank is the place of the best right answer among all candidates,
#: 1 = best; wrong answers of equal similarity stand before it. Of a task that asks how much, and
#: not which, each case has a value instead, and all columns of ranks are null.
CASES = TableSchema(
    "cases",
    7,
    pa.schema(
        [
            ("benchmark", pa.string()),
            ("split", pa.string()),
            ("task", pa.string()),
            ("seed", pa.int32()),
            ("case_id", pa.int64()),
            ("cluster_id", pa.int64()),  # cases of one cluster are resampled together
            ("rank", pa.int32()),
            ("candidates", pa.int32()),
            ("answers", pa.int32()),  # how many of the candidates are right
            ("truths", pa.int32()),  # how many are true, asked for or not; null: nobody knows
            ("group", pa.string()),  # recalls are means over a task's groups; null: it has none
            ("blind", pa.int32()),  # rank by the words alone (blind.py); null: nobody asked
            ("label", pa.int32()),  # the case's class, from 0; null: candidates are no classes
            ("chosen", pa.int32()),  # the class that the model puts first; of a tie a wrong one
            ("ordered", pa.bool_()),  # whether the numbers of classes are grades; null as `label`
            ("value", pa.float64()),  # in percent; null: the case has a rank
            ("loss", pa.bool_()),  # whether the lower value is the better one; null as `value`
            # Of each image that the case shows to each caption (question.py); null: nobody kept it.
            ("similarities", pa.list_(pa.list_(pa.float32()))),
        ]
    ),
    protocol=protocol.VERSION,
)

#: R@K is the share of cases, in percent, whose rank is at most K; of a task with groups (a macro
#: average) the mean of the groups' shares. All cases of such a task have equally many candidates.
RECALLS = {"R@1": 1, "R@5": 5, "R@10": 10}
MEDIAN_RANK = "median_rank"
RANKED = (*RECALLS, MEDIAN_RANK)
#: The mean of values, over groups as recalls are: the higher or, of losses, the lower the better.
MEAN, MEAN_LOSS = "mean", "mean_loss"
#: Cohen's kappas, in percent: where candidates are classes; quadratic where these are grades.
METRICS = (*RANKED, *agreement.POWERS, MEAN, MEAN_LOSS)
#: What stands for a task where one number has to: each has one of them.
HEADLINES = (next(iter(RECALLS)), MEAN, MEAN_LOSS)

#: Stands between the name of a task and that of a part of its cases, which is scored apart too.
PART = "/"


class Task(NamedTuple):
    """One question of a benchmark, e.g. retrieval, test, text_to_image."""

    benchmark: str
    split: str
    task: str

    @property
    def is_part(self) -> bool:
        """Whether these are some of another task's cases."""
        return PART in self.task

    @property
    def whole(self) -> "Task":
        """The task whose cases these are."""
        return self._replace(task=self.task.partition(PART)[0])


@dataclass(frozen=True)
class Ranks:
    """The cases of one task and variant, in the order of their ids.

    Attributes:
        ranks: [S, N] int64, from 1; one row a seed. Where cases have values there are no ranks,
            candidates and answers: [S, 0] and [0].
        case_ids: [N] int64, ascending.
        clusters: [N] int64, 0..C-1, each used; numbered in the order of the cluster ids.
        candidates: [N] int64, how many each case had to choose from.
        answers: [N] int64, how many of them are right.
        truths: [N] int64, how many of them are true of the image, the right ones included; None
            where the data set does not say.
        seeds: S of them, ascending.
        groups: [N] int64, 0..G-1, each used; None where the task has none.
        blind: [N] int64, the ranks by the words alone; None where nobody asked.
        labels: [N] int64, the class of each case, from 0; None where candidates are no classes.
        chosen: [S, N] int64, the class that each training puts first; None as `labels`.
        ordered: whether the numbers of classes are grades.
        values: [S, N] float64, in percent; None where cases have ranks.
        loss: whether the lower value is the better one.
    """

    ranks: npt.NDArray[np.int64]
    case_ids: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]
    answers: npt.NDArray[np.int64]
    truths: npt.NDArray[np.int64] | None
    seeds: tuple[int, ...]
    groups: npt.NDArray[np.int64] | None = None
    blind: npt.NDArray[np.int64] | None = None
    labels: npt.NDArray[np.int64] | None = None
    chosen: npt.NDArray[np.int64] | None = None
    ordered: bool = False
    values: npt.NDArray[np.float64] | None = None
    loss: bool = False


def by_task(cases: pa.Table) -> dict[Task, Ranks]:
    """Arrange a table of cases for computing.

    Args:
        cases: columns of `CASES`, in any order of rows.

    Raises:
        SemtokError: a case is there twice, or not for every seed.
    """
    order = [(name, "ascending") for name in (*Task._fields, "seed", "case_id")]
    cases = cases.sort_by(order)
    tasks = cases.select(list(Task._fields)).group_by(list(Task._fields), use_threads=False)
    found = sorted(Task(**row) for row in tasks.aggregate([]).to_pylist())
    return {task: _ranks(task, cases.filter(_rows_of(cases, task))) for task in found}


def metrics(cases: pa.Table) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """The numbers of `metrics/DATA/VARIANT.json`: benchmark -> split -> task -> metric -> value.

    Args:
        cases: columns of `CASES`.

    Returns:
        Means over seeds of what is `telling`; all in percent but median ranks, from 1.
    """
    nested: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for task, ranks in by_task(cases).items():
        means = dict(zip(measured(ranks), values(ranks).mean(axis=0).tolist(), strict=True))
        told = {metric: means[metric] for metric in telling(ranks)}
        nested.setdefault(task.benchmark, {}).setdefault(task.split, {})[task.task] = told
    return nested


def telling(ranks: Ranks) -> tuple[str, ...]:
    """The metrics of a task that say something: of ranks among few candidates, R@1 alone."""
    few = ranks.values is None and ranks.candidates.max() <= max(RECALLS.values())
    unordered = () if ranks.ordered else (agreement.QUADRATIC,)
    drop = {*(RANKED[1:] if few else ()), *unordered}
    return tuple(metric for metric in measured(ranks) if metric not in drop)


def measured(ranks: Ranks) -> tuple[str, ...]:
    """The metrics that a task's cases allow, that of `HEADLINES` first."""
    if ranks.values is not None:
        return (MEAN_LOSS if ranks.loss else MEAN,)
    return RANKED if ranks.labels is None else (*RANKED, *agreement.POWERS)


def values(ranks: Ranks) -> npt.NDArray[np.float64]:
    """All metrics of each seed: [S, M] in the order of `measured`."""
    if ranks.values is not None:
        of_groups = [ranks.values[:, here].mean(axis=1) for here in members(ranks.groups)]
        return np.asarray(np.mean(of_groups, axis=0)[:, None], np.float64)
    found = measure(ranks.ranks, ranks.groups)
    if ranks.labels is None or ranks.chosen is None:
        return found
    once = np.ones((1, len(ranks.labels)))
    return np.concatenate([found, agreement.kappas(ranks.labels, ranks.chosen, once)[0]], axis=1)


def measure(
    ranks: npt.NDArray[np.int64], groups: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.float64]:
    """The metrics of ranks, of each seed.

    Args:
        ranks: [S, N].
        groups: [N], as in `Ranks`.

    Returns:
        [S, M] in the order of `RANKED`.
    """
    recalls = [
        np.mean([100 * (ranks[:, here] <= limit).mean(axis=1) for here in members(groups)], axis=0)
        for limit in RECALLS.values()
    ]
    return np.stack([*recalls, np.median(ranks, axis=1)], axis=1)


def members(groups: npt.NDArray[np.int64] | None) -> list[slice | npt.NDArray[np.int64]]:
    """The places of each group's cases; without groups, of all.

    Args:
        groups: [N], as in `Ranks`.
    """
    if groups is None:
        return [slice(None)]
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], np.arange(1, groups.max() + 1))
    return [*np.split(order, ends)]


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of a metric is the better one."""
    return metric not in (MEDIAN_RANK, MEAN_LOSS)


def check_same_cases(named: Mapping[str, Mapping[Task, Ranks]]) -> None:
    """Refuse to compare scores of different data.

    Args:
        named: name of a variant -> its cases.

    Raises:
        SemtokError: tasks, cases, clusters, groups or numbers of candidates or of right answers
            differ; counts the difference.
    """
    (first, wanted), *others = named.items()
    for name, found in others:
        pair = f"{first} and {name} were not scored on the same cases"
        if tasks := sorted(set(wanted) ^ set(found)):
            owner = first if tasks[0] in wanted else name
            raise SemtokError(
                f"{pair}: only {owner} has {' '.join(tasks[0])}; score both on the same benchmarks"
            )
        for task, ranks in wanted.items():
            if fault := _difference(ranks, found[task]):
                raise SemtokError(f"{pair}: {' '.join(task)}: {fault}; score both on the same data")


def _difference(one: Ranks, other: Ranks) -> str:
    """In what two sets of cases differ; empty where they are the same."""
    if alone := len(np.setxor1d(one.case_ids, other.case_ids)):
        common = len(np.intersect1d(one.case_ids, other.case_ids))
        return f"{alone} cases are in one of them only, {common} in both"
    if (one.clusters != other.clusters).any():
        return "the cases are clustered differently"
    if (one.groups is None) != (other.groups is None):
        return "the cases of one of them only are grouped"
    if one.groups is not None and (one.groups != other.groups).any():
        return "the cases are grouped differently"
    if (one.values is None) != (other.values is None) or one.loss != other.loss:
        return "the cases have values, or losses, in one of them only"
    if (one.labels is None) != (other.labels is None) or one.ordered != other.ordered:
        return "the candidates are classes, or grades, of one of them only"
    if one.labels is not None and (relabelled := int((one.labels != other.labels).sum())):
        return f"{relabelled} cases had other classes"
    if changed := int((one.candidates != other.candidates).sum()):
        return f"{changed} cases had other numbers of candidates"
    if changed := int((one.answers != other.answers).sum()):
        return f"{changed} cases had other numbers of right answers"
    return ""


def _rows_of(cases: pa.Table, task: Task) -> pa.ChunkedArray:
    same = [pc.equal(cases[name], value) for name, value in task._asdict().items()]
    return pc.and_(pc.and_(same[0], same[1]), same[2])


def _ranks(task: Task, rows: pa.Table) -> Ranks:
    """Rows are those of one task, ordered by seed and case."""
    seeds, counts = np.unique(rows["seed"].to_numpy(), return_counts=True)
    if (counts != counts[0]).any():
        raise SemtokError(f"cases: {' '.join(task)}: the seeds have unequal numbers of cases")
    shape = (len(seeds), -1)
    case_ids = rows["case_id"].to_numpy().reshape(shape)
    if (np.diff(case_ids) <= 0).any():
        raise SemtokError(f"cases: {' '.join(task)}: a case is there twice for one seed")
    if (case_ids != case_ids[0]).any():
        raise SemtokError(f"cases: {' '.join(task)}: the seeds were scored on different cases")
    clusters = rows["cluster_id"].to_numpy().reshape(shape)[0]
    kind = "rank" if rows["value"].null_count == len(rows) else "value"
    if rows[kind].null_count:
        raise SemtokError(f"cases: {' '.join(task)}: a case has no {kind}, others have")
    first = rows.slice(0, counts[0])
    groups = None if first["group"].null_count else first["group"].to_numpy().astype(str)
    ranked = rows if kind == "rank" else rows.slice(0, 0)
    once = ranked.slice(0, counts[0])
    return Ranks(
        ranks=ranked["rank"].to_numpy().reshape(len(seeds), -1).astype(np.int64),
        case_ids=case_ids[0],
        clusters=np.unique(clusters, return_inverse=True)[1],
        candidates=once["candidates"].to_numpy().astype(np.int64),
        answers=once["answers"].to_numpy().astype(np.int64),
        truths=_optional(first["truths"]),
        seeds=tuple(seeds.tolist()),
        groups=None if groups is None else np.unique(groups, return_inverse=True)[1],
        blind=_optional(first["blind"]),
        labels=_optional(first["label"]),
        chosen=None if (chosen := _optional(rows["chosen"])) is None else chosen.reshape(shape),
        ordered=bool(first["ordered"][0].as_py()),
        values=rows["value"].to_numpy().reshape(shape) if kind == "value" else None,
        loss=bool(first["loss"][0].as_py()),
    )


def _optional(column: pa.ChunkedArray) -> npt.NDArray[np.int64] | None:
    """A column that a task has whole or not at all."""
    return None if column.null_count else column.to_numpy().astype(np.int64)
