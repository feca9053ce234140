"""Agreement beyond chance, beside the accuracy, where a study is of classification."""

from collections.abc import Iterator

from semtok.bench import agreement
from semtok.bench.cases import telling
from semtok.report import markdown
from semtok.report.study import tables
from semtok.report.study.published import Published
from semtok.report.study.tables import Found


def section(published: Published, found: Found) -> Iterator[str]:
    """Cohen's kappas of every variant; nothing where no task has classes.

    Args:
        published: what there is of the study.
        found: the values of the tasks that tables show.

    Yields:
        Markdown.
    """
    first = next(iter(published.scores.values()))
    told = {
        task: [each for each in telling(first[task]) if each in agreement.POWERS] for task in found
    }
    columns = [(task, metric) for task, metrics in told.items() for metric in metrics]
    if not columns:
        return
    values = {each: published.resampled(each[0], metric=each[1]) for each in columns}
    confidence = published.params.bench.confidence
    rows = [
        [
            tables.variant_name(published, variant),
            *(tables.value(values[each][variant].interval(confidence)) for each in columns),
        ]
        for variant in published.scores
    ]
    yield "### Cohen's kappa"
    yield (
        "Agreement beyond chance, in percent: 0 is chance, 100 perfect. The quadratic one, of "
        "grades, weighs a miss by the square of its distance."
    )
    heads = [f"{tables.name(task)}: {metric.replace('_', ' ')}" for task, metric in columns]
    yield markdown.table(["", *heads], rows)
