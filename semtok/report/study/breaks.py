"""The same trainings under other conditions: predicted extraction, other images, other relations.

A benchmark `retrieval_CONDITION` puts the test of `retrieval` under a condition. Extraction itself
is shown on corrupted images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from semtok.bench.cases import Task
from semtok.bench.contrasts import difference
from semtok.params import Params
from semtok.report.headlines import condition_of
from semtok.report.study import tables
from semtok.report.study.published import FINAL, Published
from semtok.report.study.questions import Question
from semtok.report.study.tables import Found
from semtok.report.told import ORACLE, PREDICTED, told

#: What has to be known of a condition before its first number.
_CAUTIONS = {
    "corrupted": "Masks and relations that models find, and superpixels, come from the spoilt "
    "picture. Annotated ones stay as they are, which favours the oracle rows.",
}


def sections(published: Published, found: Found) -> Iterator[str]:
    """Where variants break: on predicted extraction, other splits, and under other conditions.

    Args:
        published: what there is of the study.
        found: the values of the tasks that tables show.

    Yields:
        Markdown; nothing where none of it was scored.
    """
    parts = [*_predicted(published, found), *_other_splits(published, found)]
    benchmarks = dict.fromkeys(task.benchmark for task in published.tasks)
    known = {condition_of(each, benchmarks): None for each in benchmarks}
    for condition in [each for each in known if each not in ("", "permuted")]:
        under = _under(published, found, condition)
        if drops := list(_drops(published, found, under)):
            parts.append(f"### {condition.replace('_', ' ').capitalize()}")
            parts += [_CAUTIONS[condition]] if condition in _CAUTIONS else []
            parts += drops
    parts += _extraction(published)
    if parts:
        yield "## Where it breaks"
        yield from parts


def _predicted(published: Published, found: Found) -> Iterator[str]:
    """Variants on predicted extraction, each against the same on annotations."""
    who = {name: told(published.params, name) for name in published.scores}
    annotated = {_twin(published.params, name): name for name in who if who[name] == ORACLE}
    contrasts = [
        difference(name, other)
        for name in who
        if who[name] == PREDICTED
        and (other := annotated.get(_twin(published.params, name))) is not None
    ]
    question = Question("Predicted extraction against the oracle", "", contrasts)
    if table := tables.of_question(published, question, found):
        yield f"### {question.title}"
        yield "Told what models find, minus told what is annotated: the price of finding it."
        yield table


def _twin(params: Params, variant: str) -> str:
    """What a variant is, whatever its tokenizer is called and reads."""
    settings = params.variants[variant]
    tokenizer = sorted(params.tokenizers[settings.tokenizer].items())
    return f"{tokenizer} {replace(settings, tokenizer='')}"


def _other_splits(published: Published, found: Found) -> Iterator[str]:
    """Each variant on another split, against itself on test, and that against the baseline's."""
    splits = dict.fromkeys(task.split for task in published.tasks)
    for split in [each for each in splits if each not in ("train", "val", FINAL)]:
        under = _values(published, {task: task._replace(split=split) for task in found})
        if drops := list(_drops(published, found, under)):
            yield f"### The split {split}"
            yield from _crowds(published, split)
            yield from drops


def _crowds(published: Published, split: str) -> Iterator[str]:
    """Among how many images one is looked for, where that differs."""
    here, final = (published.images.get(each) for each in (split, FINAL))
    if here and final and here != final:
        yield (
            f"It has {here:,} images, {FINAL} has {final:,}: among more of them retrieval is "
            "harder, of whatever kind they are."
        )


def _drops(published: Published, found: Found, under: Found) -> Iterator[str]:
    """Values under a condition, their drops, and these minus the baseline's."""
    if not under:
        return
    yield "R@1 there:"
    yield tables.of_condition_values(published, under)
    yield "Minus the same variant on test as it is:"
    yield str(tables.of_condition(published, found, under, list(published.scores)))
    if table := tables.beyond_baseline(published, found, under):
        yield (
            f"The drop, minus that of `{published.params.bench.baseline}` (above 0: less is lost). "
            "All variants are drawn on the same images, and each with the same seeds on both tests:"
        )
        yield table


def _under(published: Published, found: Found, condition: str) -> Found:
    """The values under a condition, by the task without it."""
    return _values(
        published,
        {task: task._replace(benchmark=f"{task.benchmark}_{condition}") for task in found},
    )


def _extraction(published: Published) -> Iterator[str]:
    """What the models of predicted extraction find in spoilt pictures, a column a partition."""
    if table := tables.of_extraction(published.extraction):
        yield "### Extraction under corruption"
        yield (
            "AP50 of the masks that models find, and R@20 of the relations among them (a mask "
            "stands for an annotated one that it overlaps by half), in the same pictures as they "
            "are and corrupted. No intervals: each network was trained once."
        )
        yield table


def _values(published: Published, tasks: Mapping[Task, Task]) -> Found:
    """The values of other tasks, where they were scored, by the plain task that each belongs to."""
    return {
        plain: published.resampled_again(other, plain)
        for plain, other in tasks.items()
        if other in published.tasks
    }


def permuted_at_test(published: Published, found: Found) -> Iterator[str]:
    """What true relations are worth at test, of variants that were trained with them.

    Args:
        published: what there is of the study.
        found: the values of the tasks that tables show.

    Yields:
        Markdown; nothing where none of it was scored.
    """
    variants = published.params.variants
    related = [
        name
        for name in published.scores
        if (variants[name].intangible or variants[name].relation_bias)
        and not variants[name].permute_relations
    ]
    under = _under(published, found, "permuted")
    if under and (table := tables.of_condition(published, found, under, related)):
        yield "### Permuted at test alone"
        yield (
            "What a variant, trained with true relations, loses when those of each test image are "
            "permuted (below 0: it uses them). Each training is compared with itself."
        )
        yield table
