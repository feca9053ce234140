"""Macro averages: how many groups they are over, and of ARO what the tables show instead."""

from collections.abc import Iterator

import numpy as np

from semtok.bench.cases import Task
from semtok.report.study.published import FINAL, Published


def micro_of(published: Published, task: Task) -> Task:
    """The mean over all rows of a task of ARO that is a macro average, where it was scored.

    Args:
        published: what there is of the study.
        task: any; of another one, or without such a mean, it is returned.
    """
    micro = task._replace(task=f"{task.task}_micro")
    return micro if task.benchmark == "aro" and micro in published.tasks else task


def facts(published: Published) -> Iterator[list[str]]:
    """Name of each macro average on test, and how many groups and cases it is over."""
    for task, ranks in next(iter(published.scores.values())).items():
        if task.split == FINAL and ranks.groups is not None:
            sizes = np.bincount(ranks.groups)
            told = f"{len(sizes):,} groups of {sizes.min():,} to {sizes.max():,} cases"
            yield [
                f"{task.benchmark.upper()}'s {task.task}, macro",
                f"{told}, {sizes.sum():,} in all",
            ]


def note(published: Published) -> Iterator[str]:
    """Why the tables show means over rows."""
    if any(micro_of(published, task) != task for task in published.tasks):
        yield (
            "Of ARO the tables show the means over all rows (micro). The published macro averages "
            "stand beside the paper's: in them a group of a few cases weighs as much as one of "
            "hundreds, so that a handful of lucky cases may outweigh what variants differ by."
        )
