"""What a case asks, for people to look at: found again by the case's id."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol, cast

from semtok.bench import benchmark
from semtok.bench.cases import Task
from semtok.errors import SemtokError


@dataclass(frozen=True)
class Question:
    """The images and captions of one case.

    Attributes:
        images: their ids: one, or two that are to be told apart.
        captions: of each image those that are right; none where a false one alone is judged.
        wrong: false ones that are offered beside; empty where it is other images' captions.
    """

    images: tuple[int, ...]
    captions: tuple[tuple[str, ...], ...]
    wrong: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """All captions, in the order in which their similarities are kept: wrong ones come last."""
        return (*chain.from_iterable(self.captions), *self.wrong)


def of_images(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """The images: a case's id is its image's, and no caption is asked about.

    The `questions` of benchmarks that ask about images by themselves.
    """
    return {each: Question((each,), ((),)) for each in case_ids}


class _Shown(Protocol):
    """A benchmark that can say what its cases ask."""

    def questions(
        self, index: Path, task: str, case_ids: Collection[int]
    ) -> dict[int, Question]: ...


def can_show(name: str) -> bool:
    """Whether a benchmark can say what its cases ask: it has a function `questions`."""
    return hasattr(benchmark.find(name), "questions")


def questions(task: Task, index: Path, case_ids: Collection[int]) -> dict[int, Question]:
    """Look cases of a task up.

    Args:
        task: of a benchmark that `can_show` them.
        index: the artifact of `index` that it was scored with.
        case_ids: which ones.

    Raises:
        SemtokError: there is no such benchmark, or a case is not of this index.
    """
    module = cast(_Shown, benchmark.find(task.benchmark))
    found = module.questions(index, task.whole.task, frozenset(case_ids))
    if unknown := sorted({*case_ids} - {*found}):
        raise SemtokError(
            f"{index}: knows nothing of case {unknown[0]} of {' '.join(task)}; run scores again"
        )
    return found
