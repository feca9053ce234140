"""`docs/study.md`: the same artifacts give the same bytes."""

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from semtok.bench import protocol
from semtok.bench.cases import Task, measured
from semtok.bench.contrasts import between
from semtok.params import CLASSES
from semtok.report import markdown
from semtok.report.headlines import headlines
from semtok.report.study import (
    breaks,
    kappas,
    limits,
    macro_averages,
    not_run,
    paper,
    pictures,
    tables,
)
from semtok.report.study.published import METRIC, Published
from semtok.report.study.questions import (
    LADDER,
    REGIONS,
    Question,
)
from semtok.report.study.systems import questions, square_questions
from semtok.report.study.tables import Found

#: The name of each picture that there is, and its address as the page gives it.
Drawn: TypeAlias = Mapping[str, str]

#: What R@1 is, of captions and of classes.
_COUNTS = (
    "Retrieval counts every image that a caption is true of, where the data set knows them.",
    "R@1 is the accuracy: of all classes the image's own comes first, and a tie is a miss.",
)

#: Of fewer images to learn from, a page warns.
_FEW_IMAGES = 1000


def write(published: Published, path: Path) -> None:
    """Write the page, and its pictures into a folder beside it that bears its name.

    What stood there stays whole until all that takes its place is written.

    Args:
        published: what there is of the study.
        path: the `.md` file.
    """
    beside = path.with_suffix(".partial")
    shutil.rmtree(beside, ignore_errors=True)  # of one who was killed
    beside.mkdir(parents=True)
    try:
        drawn = _write(published, beside / path.name)
        _replace(path, beside, drawn)
    finally:
        shutil.rmtree(beside)


def _replace(path: Path, beside: Path, drawn: Drawn) -> None:
    """Put pictures in place, then the page that shows them; then drop those of an older page."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name in drawn:
        (beside / f"{name}.png").replace(folder / f"{name}.png")
    (beside / path.name).replace(path)
    for old in folder.glob("*.png"):
        if old.stem not in drawn:
            old.unlink()


def _write(published: Published, path: Path) -> Drawn:
    """Write the page and its pictures into one folder."""
    first = next(iter(published.scores.values()))
    shown = [task for task in headlines(published.tasks) if METRIC in measured(first[task])]
    tasks = [macro_averages.micro_of(published, task) for task in shown]
    found = {task: published.resampled(task) for task in tasks}
    names = pictures.draw(published, found, path.parent)
    drawn = {name: f"{path.stem}/{name}.png" for name in sorted(names)}
    parts = [
        f"# The study, size {published.size}",
        *_head(published, tasks),
        *_answers(published, found, drawn),
        *breaks.sections(published, found),
        *paper.section(published),
        *_everything(published, found, drawn),
        *not_run.section(published),
    ]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return drawn


def _head(published: Published, tasks: list[Task]) -> Iterator[str]:
    params, size = published.params, published.size
    yield (
        f"Written by `semtok study {size} --report` from what `make study SIZE={size}` has "
        "published. What each variant is: [variants](variants.md); by which rules they are "
        f"compared: [protocol](protocol.md), version {protocol.VERSION}."
    )
    scored, wanted = len(published.scores), len(params.variants)
    state = [published.label] if published.label else []
    state += [f"partial: {scored} of {wanted} variants were scored"] if scored < wanted else []
    if state:
        told = "; ".join(state)
        yield f"**{told[0].upper()}{told[1:]}.** No claim rests on this page."
    images = published.images
    if images and images["train"] < _FEW_IMAGES:
        yield (
            f"**Caution: {images['train']} images to learn from, {images['test']} to test on.** So "
            "few teach a model next to nothing from scratch, and a difference that is not told "
            "apart from 0 says little either way."
        )
    yield markdown.table(["what", "was run"], _facts(published, tasks))
    yield from macro_averages.note(published)
    bench = params.bench
    yield (
        f"In brackets: {100 * bench.confidence:g} % intervals of {bench.bootstrap:,} paired "
        "resamples of images (siblings together) and seeds. Differences are in points. **Bold**: "
        "told apart from 0 by Holm's correction for the rows of its question, column by column; "
        "a table that takes one row of each question corrects for no more than that. "
        f"{_COUNTS[params.text.tower == CLASSES]}"
    )
    yield (
        "*oracle*: annotated masks or relations, which nobody has of a new picture, are an input "
        "of a variant of that row. No headline rests on it."
        + ("" if params.text.tower == CLASSES else " The first question below does without.")
    )


def _facts(published: Published, tasks: list[Task]) -> list[list[str]]:
    params, first = published.params, next(iter(published.scores.values()))
    train, encoder = params.train, params.encoder
    counts = {f"{split} images": count for split, count in published.images.items()}
    data = params.data.settings.get(params.data.format) or counts
    cases = [f"{tables.name(task)} {len(first[task].case_ids):,}" for task in tasks]
    seeds = sorted(set(published.seeds.values()))
    return [
        ["command", f"`make study SIZE={published.size}`"],
        ["data", f"{params.data.name}: {', '.join(f'{key} {data[key]}' for key in sorted(data))}"],
        ["cases on test", ", ".join(cases)],
        ["encoder", f"{encoder.depth} blocks of width {encoder.width}, {encoder.heads} heads"],
        ["training", f"{train.steps:,} steps of {train.batch_size} images"],
        ["seeds a variant", " or ".join(map(str, seeds))],
        ["trained on", _counted(published.machines()) or "not known: there are no checkpoints"],
        ["from commit", _counted(published.commits()) or "not known"],
        ["training, all together", _hours(published)],
        *macro_averages.facts(published),
    ]


def _hours(published: Published) -> str:
    """Of the trainings that scores are of, and of those that the search has dropped."""
    seconds = {name: cost.training_seconds for name, cost in published.costs.items()}
    kept = sum(seconds[name] * seeds for name, seeds in published.seeds.items()) / 3600
    told = f"{kept:.1f} hours for {sum(published.seeds.values()):,} trainings"
    dropped = len(published.params.train.rates) - 1
    if not dropped:
        return told
    return (
        f"{told}; {dropped * len(seconds):,} more, at the rates that were not chosen, took about "
        f"{dropped * sum(seconds.values()) / 3600:.1f} hours (not timed: reckoned as long each)"
    )


def _answers(published: Published, found: Found, drawn: Drawn) -> Iterator[str]:
    asked = questions(published.params)
    if short := tables.in_short(published, asked, found):
        yield "## In short"
        yield "The first comparison of each question below."
        yield short
        yield from limits.cautions(published, found)
    yield "## What earned the gain"
    for question in asked:
        if question.title == "Equal token count":
            question = _with_tokens(published, question)
        yield from _section(published, question, found)
        if question.title == "Permuted in training":
            yield from breaks.permuted_at_test(published, found)
        if question.title == "Equal token count" and "tokens" in drawn:
            yield f"![R@1 by tokens per image]({drawn['tokens']})"
    squares = [
        part
        for each in square_questions(published.params)
        for part in _section(published, each, found, 4)
    ]
    if squares:
        yield "### {patches, regions} x {relations off, on}"
        yield (
            "A mean effect is that of one factor, averaged over the other; the interaction is what "
            "relations do for regions beyond what they do for patches."
        )
        if "two_by_two" in drawn:
            yield f"![The 2 x 2]({drawn['two_by_two']})"
        yield from squares
    yield from _flops(published, found, drawn)


def _section(
    published: Published, question: Question, found: Found, level: int = 3
) -> Iterator[str]:
    if table := tables.of_question(published, question, found):
        yield f"{'#' * level} {question.title}"
        if level == 3:
            yield question.asks
        yield table


def _with_tokens(published: Published, question: Question) -> Question:
    """The question with the mean number of tokens beside the name of each of its rows."""
    rows = []
    for each in question.contrasts:
        if set(each.weights) <= set(published.costs):
            means = [f"{published.costs[name].tokens_per_image:.1f}" for name in each.weights]
            rows.append(replace(each, name=f"{each.name} ({' and '.join(means)} tokens)"))
    return replace(question, contrasts=rows)


def _flops(published: Published, found: Found, drawn: Drawn) -> Iterator[str]:
    places = {name: math.log(cost.flops_per_image) for name, cost in published.costs.items()}
    ladder = {name: places[name] for name in LADDER if name in places}
    what = "patches of equal FLOPs"
    compared = [name for name in REGIONS if name in places]
    rows = [between(name, places[name], ladder, what) for name in compared]
    contrasts = [each for each in rows if each]
    outside = [name for name, each in zip(compared, rows, strict=True) if each is None]
    yield "### Gain per FLOP"
    yield (
        "All variants make equally many steps with equal batches, so what an image costs is what a "
        "training costs on the vision side; the text side is the same for all. Extraction is not "
        f"counted: what it takes is a column of the last table.{_trained_on_others(published)}"
    )
    if "flops" in drawn:
        yield f"![R@1 by FLOPs per image]({drawn['flops']})"
    if contrasts:
        asks = (
            "At equal FLOPs: regions against patches of the same cost. A ladder of patch variants "
            f"({', '.join(f'`{name}`' for name in ladder)}) was trained to the end; between two of "
            "its rungs their scores are interpolated linearly in the logarithm of FLOPs. (Curves "
            "of one training over its steps are not interpolated: halfway down its schedule, a "
            "training is not one of half the length.)"
        )
        question = Question("Equal FLOPs", asks, contrasts)
        yield asks
        yield str(tables.of_question(published, question, found))
    if outside:
        names = ", ".join(f"`{name}`" for name in outside)
        yield f"Cheaper or dearer than every rung that was trained, and so without a row: {names}."


def _trained_on_others(published: Published) -> str:
    """Which variants do not read as many tokens in training as for a score."""
    variants = {name: published.params.variants[name] for name in published.costs}
    gated = [f"`{name}`" for name, each in variants.items() if each.gates]
    kept = [f"`{name}`" for name, each in variants.items() if each.keep_tokens]
    told = ""
    if gated:
        told += f" Gates ({', '.join(gated)}) remove tokens for a score, and mask them in training."
    if kept:
        told += f" `keep_tokens` ({', '.join(kept)}) drops some in training alone."
    return told


def _everything(published: Published, found: Found, drawn: Drawn) -> Iterator[str]:
    yield "## All variants"
    if "variants" in drawn:
        yield f"![R@1 of all variants]({drawn['variants']})"
    yield tables.of_values(published, found, limits.rows(published, found))
    yield from kappas.section(published, found)
    yield from _at_the_edge(published)
    if "curves" in drawn:
        yield f"![Validation recall of all variants]({drawn['curves']})"


def _at_the_edge(published: Published) -> Iterator[str]:
    """Which variants might do better at a rate that nobody tried."""
    rates = published.params.train.rates
    if len(rates) < 2:
        return
    grid = f"Each variant tried the learning rates {', '.join(f'{each:g}' for each in rates)}"
    told = []
    for what, rate in (("lowest", rates[0]), ("highest", rates[-1])):
        own = [name for name, cost in published.costs.items() if cost.learning_rate == rate]
        if own:
            told.append(f"the {what} ({', '.join(f'`{name}`' for name in own)})")
    count = sum(cost.learning_rate in (rates[0], rates[-1]) for cost in published.costs.values())
    edge = f"; their best may lie beyond: {' and '.join(told)}" if told else ""
    yield f"{grid}. {count} of {len(published.costs)} chose one at the edge{edge}."


def _counted(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{what} ({count} trainings)" for what, count in sorted(counts.items()))
