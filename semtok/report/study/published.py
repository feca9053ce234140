"""What a study has published so far, read whole: the page is a pure function of it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from semtok.bench import costs, protocol
from semtok.bench.cases import CASES, RECALLS, Ranks, Task, by_task, check_same_cases
from semtok.bench.costs import Costs
from semtok.bench.intervals import Resampled, resample
from semtok.data.index import SPLITS
from semtok.errors import SemtokError
from semtok.extract import extraction_scores
from semtok.params import Params
from semtok.report.study import current
from semtok.report.told import ORACLE, told
from semtok.tables import read_table
from semtok.train.history import HISTORY
from semtok.workspace import Workspace

#: The metric of all tables and charts but the paper's.
METRIC = next(iter(RECALLS))

#: The split that final numbers are read from.
FINAL = "test"

#: What a tree that is not clean means here.
_CHANGED = ", with changes of code or settings (`semtok study` itself writes `params.yaml`)"


@dataclass(frozen=True)
class Published:
    """The scored variants of a study, and its judged extraction.

    Attributes:
        size: of the study.
        params: its settings; `variants` may hold more than was scored.
        scores: variant -> its cases by task.
        costs: variant -> what it costs.
        histories: variant -> the `history.parquet` of each training.
        trainings: variant -> the `training.json` of each training that is still there.
        images: split -> how many it has; empty where the index is not there.
        extraction: partition of `extraction_scores` -> its table, as far as they were made.
    """

    size: str
    params: Params
    scores: Mapping[str, Mapping[Task, Ranks]]
    costs: Mapping[str, Costs]
    histories: Mapping[str, Sequence[pa.Table]]
    trainings: Mapping[str, Sequence[Mapping[str, Any]]]
    images: Mapping[str, int]
    extraction: Mapping[str, pa.Table]

    @property
    def missing(self) -> list[str]:
        """The variants of the study that were not scored."""
        return [name for name in self.params.variants if name not in self.scores]

    @cached_property
    def oracles(self) -> frozenset[str]:
        """The scored variants that annotated masks or relations are an input of."""
        return frozenset(name for name in self.scores if told(self.params, name) == ORACLE)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """What all of them were scored on."""
        return tuple(next(iter(self.scores.values())))

    @cached_property
    def seeds(self) -> dict[str, int]:
        """Variant -> its number of trainings."""
        return {
            name: min(len(each.seeds) for each in tasks.values())
            for name, tasks in self.scores.items()
        }

    @cached_property
    def label(self) -> str:
        """What the study has to be called: empty where claims may rest on it."""
        return protocol.label(min(self.seeds.values()))

    def resampled(self, task: Task, test: int = 0, metric: str = METRIC) -> dict[str, Resampled]:
        """A metric of each variant on a task, resampled together.

        Args:
            task: one of `tasks`.
            test: as of `intervals.resample`.
            metric: which one.
        """
        drawn = resample(
            [tasks[task] for tasks in self.scores.values()], self.params.bench.bootstrap, test=test
        )
        return {name: each[metric] for name, each in zip(self.scores, drawn, strict=True)}

    def resampled_again(self, task: Task, plain: Task) -> dict[str, Resampled]:
        """The same trainings put to another test: `resampled`, paired with that of a plain task.

        Seeds are drawn as for the plain task; so are images where both tests are of the same. One
        test may ask of an image more often than the other: clusters are what is drawn, and as many
        of one split are the same ones, in the same order.

        Args:
            task: one of `tasks`.
            plain: the one that it is compared with.
        """
        tasks = next(iter(self.scores.values()))
        clusters = {int(tasks[each].clusters.max()) for each in (task, plain)}
        same = task.split == plain.split and len(clusters) == 1
        return self.resampled(task, test=0 if same else 1)

    def commits(self) -> Counter[str]:
        """Where the trainings started from, and how many from each."""
        return Counter(
            f"{each['commit']}{_CHANGED if each.get('dirty') else ''}"
            for trainings in self.trainings.values()
            for each in trainings
            if each.get("commit")
        )

    def machines(self) -> Counter[str]:
        """What the trainings ran on, and how many on each."""
        return Counter(
            f"{each['device']}, {each['threads']} threads, torch {each['versions']['torch']}"
            for trainings in self.trainings.values()
            for each in trainings
        )


def read(workspace: Workspace, params: Params, size: str) -> Published:
    """Read what the study has published. What other settings made counts as not run (`current`).

    Args:
        workspace: of the study's data set.
        params: the study's settings.
        size: their name.

    Raises:
        SemtokError: nothing was scored, or the variants were scored on different data.
    """
    found = current.made(workspace, params, "scores")
    if not found:
        raise SemtokError(
            f"{workspace.relative('scores')}: no variant of the study {size} was scored; "
            f"run make study SIZE={size}"
        )
    first = params.bench.baseline
    names = sorted(found, key=lambda name: name != first)  # the baseline first
    scores = {name: by_task(read_table(found[name] / "cases.parquet", CASES)) for name in names}
    check_same_cases(scores)
    return Published(
        size=size,
        params=params,
        scores=scores,
        costs={name: costs.read(found[name]) for name in names},
        histories={
            name: [
                read_table(path, HISTORY) for path in sorted(found[name].glob("history-*.parquet"))
            ]
            for name in names
        },
        trainings={name: _trainings(workspace, name) for name in names},
        images=_images(workspace),
        extraction={
            name: read_table(folder / extraction_scores.NAME, extraction_scores.EXTRACTION_SCORES)
            for name, folder in current.made(workspace, params, "extraction_scores").items()
        },
    )


def _images(workspace: Workspace) -> dict[str, int]:
    folder = workspace.find("index")
    if folder is None:
        return {}
    splits = read_table(folder / "splits.parquet", SPLITS)["split"].to_pylist()
    return {split: splits.count(split) for split in dict.fromkeys(splits)}


def _trainings(workspace: Workspace, variant: str) -> list[dict[str, Any]]:
    folder = workspace.find("checkpoint", variant)  # it may have stayed where it was made
    paths = sorted(folder.glob("seed-*/training.json")) if folder else []
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]
