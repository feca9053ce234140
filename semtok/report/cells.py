"""The cells of a leaderboard's tables: text, for whatever shows them."""

from collections.abc import Iterator, Sequence

from semtok.bench.cases import MEAN, MEAN_LOSS, METRICS, PART, Task
from semtok.bench.comparison import Comparison, Row
from semtok.bench.costs import Costs, Encoding
from semtok.bench.intervals import Interval
from semtok.bench.leaderboard import Leaderboard

#: Columns of `quality`, `of_parts` and `costs`, and which of them hold words.
P = "p (Holm)"
GAIN = "relative gain, %"
QUALITY = ("", "variant", "value", "points", GAIN, P, "verdict")
SPEED = "images/s"
COSTS = (
    *("variant", "tokens", "blocks", "embeddings", "bias", "MFLOPs"),
    *("extraction", "training", SPEED, "rate"),
)
WORDS = ("", "variant", "verdict")

#: What the columns of costs mean.
COSTS_MEAN = (
    "Tokens: of an image, on average. Blocks, embeddings, bias: parameters of the vision side. "
    "MFLOPs: of encoding one image. Extraction: MFLOPs of the models that find masks and relations "
    "in it; empty where annotations or nothing is read. Training: of one seed, by the clock. "
    "Rate: the learning rate at its highest. What a training took is empty of outside models."
)
SPEED_MEANS = "Images/s: in training, by the clock."
_SHORT = {
    "median_rank": "MedR",
    "quadratic_kappa": "quadratic kappa",
    MEAN_LOSS: "mean loss",
}


def notes(board: Leaderboard) -> list[str]:
    """What a reader has to know before the first number."""
    found = board.comparison
    seeds = ", ".join(f"{name} {count}" for name, count in found.seeds.items())
    lines = [
        f"Protocol {found.protocol}. Trainings (seeds): {seeds}.",
        f"In brackets: {100 * found.confidence:g} % intervals, {found.resamples} bootstrap "
        f"resamples; points and gains are against {found.baseline}, paired. R@K in % (higher is "
        "better); MedR: median rank (lower is better)"
        f"{_means(found)}.",
        _verdicts(found),
        *_unasked(found),
        *_outside(board),
    ]
    return [f"{found.label[0].upper()}{found.label[1:]}.", *lines] if found.label else lines


def _verdicts(found: Comparison) -> str:
    """What a verdict rests on; with one comparison a metric there is nothing to correct."""
    level, others = 1 - found.confidence, len(found.seeds) - 1
    told = f"Verdicts: two-sided p-value of the paired bootstrap at most {level:.2g}"
    if others > 1:
        told += f", by Holm's correction for the {others} variants of each metric"
    if not found.resamples_suffice:
        told += f"; {found.resamples} resamples are too few for any: raise bench.bootstrap"
    return f"{told}."


def _means(found: Comparison) -> str:
    """What means of values are, where there are any."""
    told = {row.metric for row in found.rows}
    words = {
        MEAN: "; mean: of the cases' values, in % (higher is better)",
        MEAN_LOSS: "; mean loss: of the cases' values, in % (lower is better)",
    }
    return "".join(words[each] for each in words if each in told)


def _unasked(found: Comparison) -> Iterator[str]:
    """Who has no row, and what is missing beside those that stand alone."""
    for benchmark, names in found.unasked.items():
        alone = ": without it nobody has points or a verdict there" * (found.baseline in names)
        yield f"{benchmark} could not be asked of {', '.join(names)}{alone}."


def _outside(board: Leaderboard) -> Iterator[str]:
    """Which models were trained elsewhere, and what may not be read out of their rows."""
    if names := board.comparison.outside:
        yield (
            f"Outside models, trained elsewhere and not under the protocol: {', '.join(names)}. "
            "Their points are no claim about tokens: data, size and recipe differ too."
        )
        for name in names:
            yield f"{name} is {board.weights[name]}."


def title(board: Leaderboard, task: Task) -> str:
    """A task for people, with its number of cases."""
    cases = board.comparison.cases[task]
    return f"{task.benchmark}, {task.split}: {task.task.replace('_', ' ')}, {cases} cases"


def quality(board: Leaderboard, task: Task) -> list[list[Sequence[str]]]:
    """For each metric the cells of all variants and of what lies between chance and ceiling."""
    rows = [row for row in board.comparison.rows if row.of == task]
    return [
        [_cells(row) for row in rows if row.metric == metric] + _bounds(board, task, metric)
        for metric in METRICS
        if any(row.metric == metric for row in rows)
    ]


def of_parts(board: Leaderboard, whole: Task) -> list[Sequence[str]]:
    """The cells of a task's parts; the first says which part, how many cases and which metric."""
    rows: list[Sequence[str]] = []
    for task, cases in board.comparison.cases.items():
        if task.is_part and task.whole == whole:
            name = f"{task.task.removeprefix(whole.task + PART)} ({cases})"
            cells = [row for block in quality(board, task) for row in block]
            rows += [(f"{name} {metric}", *rest) for metric, *rest in cells]
    return rows


def _cells(row: Row) -> Sequence[str]:
    return (
        _SHORT.get(row.metric, row.metric),
        row.variant,
        _interval(row.value, "{:z.1f}"),
        _interval(row.points, "{:+z.1f}"),
        _interval(row.relative, "{:+z.0f}"),
        "" if row.p_adjusted is None else f"{row.p_adjusted:.3f}",
        row.verdict,
    )


def _bounds(board: Leaderboard, task: Task, metric: str) -> list[Sequence[str]]:
    """What stands below the variants: between what their values can lie."""
    bounds = board.comparison.bounds[task]
    known = {
        "chance": bounds.chance,
        "words alone": bounds.blind,
        "perfect observer": bounds.ceiling,
    }
    return [
        (_SHORT.get(metric, metric), name, f"{values[metric]:z.1f}", "", "", "", "")
        for name, values in known.items()
        if values is not None and metric in values
    ]


def _interval(interval: Interval | None, form: str) -> str:
    if interval is None:
        return ""
    ends = (interval.estimate, interval.low, interval.high)
    estimate, low, high = ("∞" if each is None else form.format(each) for each in ends)
    return f"{estimate} [{low}, {high}]"


def costs(board: Leaderboard) -> Iterator[Sequence[str]]:
    """What each variant and outside model costs; `COSTS_MEAN` explains it."""
    for name, each in board.costs.items():
        yield (
            *_encoding(name, each),
            f"{each.extraction.flops_per_image / 1e6:,.0f}" if each.extraction else "",
            f"{each.training_seconds:,.0f} s",
            _speed(each),
            f"{each.learning_rate:g}",
        )
    for name, of_outside in board.outside.items():
        known = _encoding(name, of_outside)
        yield (*known, *[""] * (len(COSTS) - len(known)))


def speeds(board: Leaderboard) -> str:
    """The column `SPEED` in a sentence, for where it has no room."""
    known = (f"{name} {_speed(each) or 'unknown'}" for name, each in board.costs.items())
    return f"{SPEED_MEANS.removesuffix('.')}: {', '.join(known)}."


def _speed(cost: Costs) -> str:
    return "" if cost.images_per_second is None else f"{cost.images_per_second:,.0f}"


def _encoding(name: str, cost: Encoding) -> Sequence[str]:
    return (
        name,
        f"{cost.tokens_per_image:.1f}",
        f"{cost.parameters.blocks:,}",
        f"{cost.parameters.embeddings:,}",
        f"{cost.parameters.bias:,}",
        f"{cost.flops_per_image / 1e6:,.0f}",
    )
