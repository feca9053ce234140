"""A model's card in Markdown: what it is, what it is worth, and what it is not for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semtok.bench.costs import Costs
from semtok.bench.intervals import Interval
from semtok.report import markdown

_USES = """\
- Research on visual tokens: comparing this training with others of the same data and protocol.
- Teaching and demonstrations of {task} on data like that it was trained on."""

_NOT_FOR = """\
- Surveillance, identifying or tracking people, or inferring anything about a person.
- Medical, legal, hiring, credit or safety decisions. Any such use needs a validation of its own, on
  data of that use, by people who answer for it.
- Images or languages unlike those it was trained on: nothing here says how it does there."""


@dataclass(frozen=True)
class Line:
    """One score.

    Attributes:
        name: benchmark, split and task.
        metric: e.g. `R@1`.
        own: of this training, its interval over images.
        all_seeds: mean over the trainings of its recipe, its interval over images and seeds.
        chance: of one who guesses; None where nobody can.
        blind: of one who reads the words alone; None where nobody asked.
    """

    name: str
    metric: str
    own: Interval
    all_seeds: Interval
    chance: float | None
    blind: float | None


@dataclass(frozen=True)
class Facts:
    """All that a card says.

    Attributes:
        model, version, variant, seed: which training it is of.
        address: to load it by, e.g. `models:/semtok-scenes/3`.
        label: `smoke run (...)` where no claim may rest on it, else empty.
        told: whose masks and relations it reads, in words.
        identity: name -> hash, commit, protocol.
        data: split -> what `semtok.data.facts` counts.
        settings: the flat settings of the training.
        costs: of it.
        scores: of the whole tasks on the last split, corruption aside.
        corrupted: of retrieval among corrupted images, by kind; empty: not measured.
        beside: name, role (baseline, control, empty) and value of others by the same metric.
        beside_metric: which one.
        seeds: trainings of its recipe.
        lineage: stage key, digest and what its gate said.
        confidence: of the intervals, 0..1.
    """

    model: str
    version: str
    variant: str
    seed: str
    address: str
    label: str
    told: str
    identity: Mapping[str, str]
    data: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, str]
    costs: Costs
    scores: Sequence[Line]
    corrupted: Sequence[Line]
    beside: Sequence[tuple[str, str, str]]
    beside_metric: str
    seeds: int
    lineage: Sequence[tuple[str, str, str]]
    confidence: float


def sections(facts: Facts) -> list[str]:
    """The card, section by section, the most important first; joined they are the whole."""
    return [
        _head(facts),
        f"## Intended use\n\n{_uses(facts)}\n\n## Keep away from\n\n{_NOT_FOR}",
        f"## Limits\n\n{_limits(facts)}",
        f"## How to load it\n\n{_loading(facts)}",
        f"## Scores\n\n{_scores(facts)}",
        f"## Controls and others on the same cases\n\n{_beside(facts)}",
        f"## Corruption\n\n{_corruption(facts)}",
        f"## Data\n\n{_data(facts)}",
        f"## Recipe\n\n{_recipe(facts)}",
        f"## Lineage\n\n{_lineage(facts)}",
    ]


def _classifies(facts: Facts) -> bool:
    return facts.settings.get("text.tower") == "classes"


def _uses(facts: Facts) -> str:
    task = "image classification" if _classifies(facts) else "image-text retrieval"
    return _USES.format(task=task)


def _head(facts: Facts) -> str:
    told = f"# {facts.model} version {facts.version}: {facts.variant}, seed {facts.seed}\n\n"
    tower = facts.settings.get("text.tower", "scratch")
    if _classifies(facts):
        told += f"A classifier: it gives each image one of the classes it learned. {facts.told}"
    else:
        told += "An image-text model: it embeds images and English captions in one space. "
        told += facts.told + (f" Its text side is `{tower}`, frozen." if tower != "scratch" else "")
    return f"{told}\n\n**{facts.label[0].upper()}{facts.label[1:]}.**" if facts.label else told


def _limits(facts: Facts) -> str:
    trainings = "1 training" if facts.seeds == 1 else f"{facts.seeds} trainings"
    lines = [
        f"Intervals ({facts.confidence:.0%}) are of these images and {trainings}, no other data.",
        "It knows the classes of its training alone, and gives every image one of them."
        if _classifies(facts)
        else "Scores are of captions like those of training: one language, short, literal.",
    ]
    for line in facts.scores:
        if line.own.low is not None and line.chance is not None and line.own.low <= line.chance:
            below = line.own.high is not None and line.own.high < line.chance
            what = "lies below" if below else "holds"
            lines.append(f"{line.name}: its interval {what} chance ({line.chance:.1f}).")
        if line.blind is not None and line.own.low is not None and line.own.low <= line.blind:
            lines.append(
                f"{line.name}: no better than reading the words alone ({line.blind:.1f}) can be "
                "told from its interval."
            )
    if not facts.corrupted:
        lines.append("How it does on spoilt pictures was not measured.")
    return "\n".join(f"- {line}" for line in lines)


def _loading(facts: Facts) -> str:
    return (
        "```python\nimport mlflow\n\n"
        f'model = mlflow.pyfunc.load_model("{facts.address}")\n'
        f"# Rows: image (base64), texts{' (its classes)' if _classifies(facts) else ''}, and where "
        "the variant reads them masks and relations.\n"
        "```\n\n"
        f"Or `mlflow models serve --env-manager local -m {facts.address}`. Code over safetensors; "
        "nothing is pickled."
    )


def _scores(facts: Facts) -> str:
    if not facts.scores:
        return "None are on record."
    several = [f"mean of {facts.seeds}"] if facts.seeds > 1 else []
    head = ["task", "metric", "this training", *several, "chance", "words alone"]
    rows = []
    for line in facts.scores:
        row = [line.name, line.metric, _interval(line.own)]
        row += [_interval(line.all_seeds)] if several else []
        known = ("" if each is None else f"{each:.1f}" for each in (line.chance, line.blind))
        rows.append([*row, *known])
    return markdown.table(head, rows)


def _beside(facts: Facts) -> str:
    if not facts.beside:
        return "Nothing else is registered on the same data by the same protocol."
    table = markdown.table(
        ("variant", "role", facts.beside_metric), facts.beside, ("variant", "role")
    )
    controls = any("control" in role for _, role, _ in facts.beside)
    missing = (
        "" if controls else "\n\nNo control is registered: what its gain rests on is not known."
    )
    return f"{table}{missing}"


def _corruption(facts: Facts) -> str:
    if not facts.corrupted:
        return "Not measured."
    rows = [(line.name, line.metric, _interval(line.own)) for line in facts.corrupted]
    return markdown.table(("pictures", "metric", "this training"), rows)


def _data(facts: Facts) -> str:
    if not facts.data:
        return "Counts were not recorded; run `semtok sync` where it was trained."
    splits = [split for split in ("train", "val", "test", "novel") if split in facts.data]
    # A classifier's captions are names of classes, all of which are in train.
    classes = _classifies(facts)
    seen_keys = ["seen_images"] if classes else ["seen_images", "seen_captions"]
    rows = []
    for split in splits:
        counts = facts.data[split]
        licences = ", ".join(f"{name} {count:,}" for name, count in counts["licences"].items())
        seen = [f"{counts[key]:,}" if key in counts else "" for key in seen_keys]
        told = [] if classes else [f"{counts['captions']:,}"]
        rows.append((split, f"{counts['images']:,}", *told, *seen, licences))
    middle = ["images seen"] if classes else ["captions", "images seen", "captions seen"]
    head = ("split", "images", *middle, "licences of the images")
    by = "by its bytes" if classes else "by its bytes and a caption by its words"
    return (
        f"{markdown.table(head, rows, ('split', head[-1]))}\n\n"
        f"Seen: also in train, an image {by} (leakage counts). {_origin(facts)}"
    )


def _origin(facts: Facts) -> str:
    if facts.settings.get("data.format") in ("scenes", "scene_classes"):
        return "Its pictures are drawn by semtok and come under its licence, Apache-2.0."
    return "Where a licence is not stated, the data set names none for the image: ask its source."


def _recipe(facts: Facts) -> str:
    costs = facts.costs
    numbers = (
        f"{costs.parameters.blocks:,} parameters in blocks, {costs.parameters.embeddings:,} in "
        f"embeddings, {costs.parameters.bias:,} in bias tables, {costs.parameters.text:,} on the "
        f"text side; {costs.tokens_per_image:.1f} tokens an image; "
        f"{costs.flops_per_image / 1e6:,.0f} MFLOPs to encode one; trained in "
        f"{costs.training_seconds:,.0f} s at a rate of {costs.learning_rate:g}."
    )
    rows = [(f"`{name}`", f"`{value}`") for name, value in sorted(facts.settings.items())]
    return f"{numbers}\n\n{markdown.table(('setting', 'value'), rows, ('setting', 'value'))}"


def _lineage(facts: Facts) -> str:
    names = "\n".join(f"- {name}: `{value}`" for name, value in facts.identity.items())
    rows = [(f"`{key}`", f"`{digest}`", gate) for key, digest, gate in facts.lineage]
    head = ("artifact", "hash", "data checks")
    return f"{names}\n\n{markdown.table(head, rows, head)}"


def _interval(each: Interval) -> str:
    if each.estimate is None or each.low is None or each.high is None:
        return "undefined"
    return f"{each.estimate:.1f} [{each.low:.1f}, {each.high:.1f}]"
