"""Ours beside what arXiv 2405.16401 reports: context, under both readings of its gains."""

from collections.abc import Iterator

from semtok.bench.cases import RECALLS, telling
from semtok.bench.contrasts import difference, effects
from semtok.bench.intervals import resample
from semtok.report import markdown
from semtok.report.study import tables
from semtok.report.study.published import FINAL, Published
from semtok.report.study.questions import PAPER

#: What comes nearest to the paper's tokens, predicted extraction first.
_OURS = ("regions_relations_predicted", "regions_relations", "semantic")


def section(published: Published) -> Iterator[str]:
    """Ours beside the gains that the paper reports, under both readings.

    Args:
        published: what there is of the study.

    Yields:
        Markdown.
    """
    baseline = published.params.bench.baseline
    yield "## Beside the paper"
    yield (
        "arXiv 2405.16401 reports gains of its tokens over a ViT, and what could be read of it "
        "does not say whether they are points or relative, nor at which K. Its data, models and "
        f"scale are others: this is context and no target. Ours are over `{baseline}`, on test; "
        "retrieval is paired, as in COCO's benchmark."
    )
    rows = [row for reported in PAPER for row in _beside(published, reported)]
    yield markdown.table(["", "paper", "ours", "points", "relative, %"], rows)


def _beside(published: Published, reported: str) -> Iterator[list[str]]:
    baseline, bench = published.params.bench.baseline, published.params.bench
    tasks = [
        task
        for task in published.tasks
        if task.split == FINAL
        and not task.is_part
        and reported.lower().replace(" ", "_")
        in (task.benchmark, task.task if task.benchmark == "retrieval" else "")
    ]
    ours = [name for name in _OURS if name in published.scores]
    gain = f"+{PAPER[reported]}"
    if not tasks or not ours or baseline not in published.scores:
        yield [reported, gain, "", "not run", "not run"]
        return
    for task in tasks:
        names = [baseline, *ours]
        drawn = resample([published.scores[name][task] for name in names], bench.bootstrap)
        family = [difference(name, baseline) for name in ours]
        for metric in telling(published.scores[baseline][task]):
            if metric not in RECALLS:
                continue
            values = {name: each[metric] for name, each in zip(names, drawn, strict=True)}
            told = effects(family, values, metric, bench.confidence)
            for name, each in zip(ours, told, strict=True):
                what = reported if task.benchmark == "retrieval" else f"{reported}, {task.task}"
                points, relative = tables.plain(each.points), tables.percent(each.relative)
                ours_name = tables.variant_name(published, name)
                yield [f"{what}, {metric}", gain, ours_name, points, relative]
