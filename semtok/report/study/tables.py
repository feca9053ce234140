"""The tables of the page: effects of questions, values of variants, drops under conditions."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from semtok.bench.cases import Task
from semtok.bench.contrasts import Contrast, Effect, effects
from semtok.bench.intervals import Interval, Resampled
from semtok.report import markdown
from semtok.report.study.published import METRIC, Published
from semtok.report.study.questions import Question

_MARK = " *oracle*"

#: Of all that extraction is judged by.
_OF_EXTRACTION = ("AP50", "R@20")

#: Values of all variants by task.
Found = Mapping[Task, Mapping[str, Resampled]]


def name(task: Task) -> str:
    """A task for people, as the head of a column."""
    told = task.task.replace("_any_true", "").replace("_", " ")
    return told if task.benchmark == "retrieval" else f"{task.benchmark}: {told}".replace("_", " ")


def of_question(published: Published, question: Question, found: Found) -> str | None:
    """Effects of the contrasts whose variants were scored; None where there is none."""
    confidence = published.params.bench.confidence
    family = _scored(question, next(iter(found.values())))
    if not family:
        return None
    columns = {task: effects(family, found[task], METRIC, confidence) for task in found}
    rows = [
        [marked(published, contrast), *(_cell(columns[task][number]) for task in found)]
        for number, contrast in enumerate(family)
    ]
    return markdown.table(["R@1, points", *map(name, found)], rows)


def in_short(published: Published, questions: Sequence[Question], found: Found) -> str | None:
    """Of each question the first comparison, whose p-value counts all of them; None without any.

    The first that the settings have the variants of: that it was not scored makes no other first.
    """
    scored, variants = next(iter(found.values())), set(published.params.variants)
    confidence = published.params.bench.confidence
    rows = []
    for question in questions:
        family = _scored(question, scored)
        asked = [each for each in question.contrasts if set(each.weights) <= variants]
        if family and family[0] is asked[0]:
            first = [effects(family, found[task], METRIC, confidence)[0] for task in found]
            rows.append([f"{question.title}: {marked(published, family[0])}", *map(_cell, first)])
    return markdown.table(["R@1, points", *map(name, found)], rows) if rows else None


def of_condition(
    published: Published, found: Found, under: Found, variants: Sequence[str]
) -> str | None:
    """What variants gain or lose under a condition, each against itself; None without variants.

    Args:
        published: the scores.
        found: the values of the tasks without the condition.
        under: the values of the same tasks under it (`Published.resampled_again`).
        variants: which ones, one row each.
    """
    return _of_drops(published, found, under, {each: _drop(each) for each in variants})


def beyond_baseline(published: Published, found: Found, under: Found) -> str | None:
    """What each variant loses under a condition, minus what the baseline loses.

    Args:
        published: the scores.
        found: as for `of_condition`.
        under: as for `of_condition`.

    Returns:
        None where the baseline or all others are missing.
    """
    baseline = published.params.bench.baseline
    if baseline not in published.scores:
        return None
    theirs = {end: -weight for end, weight in _drop(baseline).weights.items()}
    family = {
        each: Contrast(each, {**_drop(each).weights, **theirs})
        for each in published.scores
        if each != baseline
    }
    return _of_drops(published, found, under, family)


def _of_drops(
    published: Published, found: Found, under: Found, family: Mapping[str, Contrast]
) -> str | None:
    """A family of contrasts of `_both`, a row for each variant that one is of."""
    if not family:
        return None
    columns = [
        effects(
            list(family.values()),
            _both(values, found[task]),
            METRIC,
            published.params.bench.confidence,
        )
        for task, values in under.items()
    ]
    rows = [
        [variant_name(published, variant), *(_cell(column[number]) for column in columns)]
        for number, variant in enumerate(family)
    ]
    return markdown.table(["R@1, points", *map(name, under)], rows)


def of_condition_values(published: Published, under: Found) -> str:
    """Every variant's values under a condition.

    Args:
        published: the scores.
        under: as for `of_condition`.
    """
    confidence = published.params.bench.confidence
    rows = [
        [variant_name(published, variant)]
        + [value(values[variant].interval(confidence)) for values in under.values()]
        for variant in published.scores
    ]
    return markdown.table(["R@1, %", *map(name, under)], rows)


def _drop(variant: str) -> Contrast:
    here, there = _ends_of(variant)
    return Contrast(f"`{variant}`", {here: 1.0, there: -1.0})


def _both(under: Mapping[str, Resampled], plain: Mapping[str, Resampled]) -> dict[str, Resampled]:
    """Values under a condition and without it, by the names of `_ends_of`."""
    values: dict[str, Resampled] = {}
    for variant in under:
        here, there = _ends_of(variant)
        values |= {here: under[variant], there: plain[variant]}
    return values


def _ends_of(variant: str) -> tuple[str, str]:
    return f"{variant} under the condition", f"{variant} without it"


def of_extraction(found: Mapping[str, pa.Table]) -> str | None:
    """Each corruption's AP50 and R@20, a pair of columns a partition; None without partitions.

    Args:
        found: partition -> schema `EXTRACTION_SCORES`, all of the same corruptions.
    """
    if not found:
        return None
    columns = ["%", *(f"{key}: {name}" for key in found for name in _OF_EXTRACTION)]
    together = zip(*(table.to_pylist() for table in found.values()), strict=True)
    rows = [
        [
            f"{each[0]['kind']} {each[0]['severity'] or ''}".strip(),
            *(f"{100 * row[name]:.1f}" for row in each for name in _OF_EXTRACTION),
        ]
        for each in together
    ]
    return markdown.table(columns, rows)


def of_values(published: Published, found: Found, limits: Sequence[Sequence[str]]) -> str:
    """Every variant's values beside its costs, by the first task, best first.

    Args:
        published: the scores.
        found: the values.
        limits: names and values of what nobody trained, below them.
    """
    confidence = published.params.bench.confidence
    first = next(iter(found.values()))
    rows = []
    for variant in sorted(first, key=lambda each: -first[each].estimate):
        cost = published.costs[variant]
        values = [value(found[task][variant].interval(confidence)) for task in found]
        numbers = [f"{cost.tokens_per_image:.1f}", f"{cost.flops_per_image / 1e6:,.1f}"]
        numbers += [f"{cost.extraction.flops_per_image / 1e6:,.1f}" if cost.extraction else ""]
        numbers += [f"{cost.training_seconds:,.0f}", f"{cost.learning_rate:g}"]
        numbers += [str(published.seeds[variant])]
        rows.append([variant_name(published, variant), *values, *numbers])
    columns = ["R@1, %", *map(name, found), "tokens", "MFLOPs", "extraction"]
    columns += ["seconds", "rate", "seeds"]
    rows += [[*each, *[""] * (len(columns) - len(each))] for each in limits]
    return markdown.table(columns, rows)


def marked(published: Published, contrast: Contrast) -> str:
    """A contrast's name, marked where a variant of it is an oracle."""
    return contrast.name + _MARK * (not published.oracles.isdisjoint(contrast.weights))


def variant_name(published: Published, variant: str) -> str:
    """A variant's name, marked where it is an oracle."""
    return f"`{variant}`" + _MARK * (variant in published.oracles)


def _scored(question: Question, scored: Mapping[str, object]) -> list[Contrast]:
    return [each for each in question.contrasts if set(each.weights) <= set(scored)]


def _cell(effect: Effect) -> str:
    """Points with their interval, bold where the verdict is not open."""
    told = plain(effect.points)
    return told if effect.verdict == "undecided" else f"**{told}**"


def plain(interval: Interval) -> str:
    """A difference with its interval."""
    return _ends(interval, "{:+.1f}")


def value(interval: Interval) -> str:
    """A value with its interval."""
    return _ends(interval, "{:.1f}")


def percent(interval: Interval | None) -> str:
    """A relative gain with its interval; unbounded ends are ∞, and without any it is empty."""
    return "" if interval is None else _ends(interval, "{:+.0f}")


def _ends(interval: Interval, form: str) -> str:
    ends = (interval.estimate, interval.low, interval.high)
    # Rounded first, so that there is no -0.0.
    estimate, low, high = (
        "∞" if each is None else form.format(round(each, 1) + 0.0) for each in ends
    )
    return f"{estimate} [{low}, {high}]"
