"""What the page does not answer, in words: nobody may take silence for a result."""

from collections.abc import Iterator

from semtok.report.study.published import Published
from semtok.report.study.systems import questions, square_questions


def section(published: Published) -> Iterator[str]:
    """List what was not run: variants, comparisons, conditions, and what is no part of a study.

    Args:
        published: what there is of the study.

    Yields:
        Markdown.
    """
    yield "## Not run"
    lines = [*_variants(published), *_conditions(published)]
    yield "\n".join(f"- {line}" for line in lines)


def _variants(published: Published) -> Iterator[str]:
    scored = set(published.scores)
    for name in published.missing:
        yield f"The variant `{name}`, by these settings."
    params = published.params
    unasked: dict[str, bool] = {}  # title -> whether none of it is asked; a 2 x 2 may share one
    for question in (*questions(params), *square_questions(params)):
        lacking = [each for each in question.contrasts if not set(each.weights) <= scored]
        settled = [each.name for each in lacking if set(each.weights) <= set(params.variants)]
        if settled:
            yield f"{question.title}: {', '.join(settled)}."
        if beyond := len(lacking) - len(settled):
            whole = beyond == len(question.contrasts)
            unasked[question.title] = whole and unasked.get(question.title, True)
    if unasked:
        titles = "; ".join(f"{each}{'' if unasked[each] else ' (in part)'}" for each in unasked)
        yield f"What asks for variants that these settings do not have: {titles}."


def _conditions(published: Published) -> Iterator[str]:
    params = published.params
    if not any(task.benchmark.endswith("_corrupted") for task in published.tasks):
        yield "Corrupted pictures: what blur, noise, occlusion and the like leave is not known."
    if lacking := [each for each in params.extraction_scores if each not in published.extraction]:
        yield f"Extraction under corruption: {', '.join(f'`{each}`' for each in lacking)}."
    if not any(task.split == "novel" for task in published.tasks):
        yield "Novel combinations."
    if params.data.format == "scenes":
        yield (
            "Photographs: all of this is of drawn scenes. The study of COCO (`study_coco.yaml`) "
            "has a page of its own."
        )
    if params.text.tower == "scratch":
        yield "A frozen CLIP text tower: the text side was trained from scratch, in every variant."
    yield f"Sizes other than `{published.size}`: more data may turn a sign."
