"""What a model costs: `costs.json`; a variant's is drawn from its checkpoints' `training.json`."""

import json
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from semtok.errors import SemtokError
from semtok.json_files import read_json
from semtok.params import VariantSettings
from semtok.parsing import parse

NAME = "costs.json"

#: Beside token shards of masks and relations that models found (`semtok.extract.cost`).
_EXTRACTION = "extraction_cost.json"


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters by role, as `ImageTextModel.parameters_by_role`."""

    blocks: int
    embeddings: int
    bias: int
    text: int
    scale: int


@dataclass(frozen=True)
class Extraction:
    """What the models take that find masks and relations, those together that a variant needs.

    Attributes:
        parameters: of the networks that look at one image.
        flops_per_image: of one look; a multiply-add is two.
        images: that they learned from, with annotated masks and relations.
    """

    parameters: int
    flops_per_image: float
    images: int


@dataclass(frozen=True)
class _ByStage:
    """What masks, scene graphs and features of tokens take; None: they run no model."""

    masks: Extraction | None = None
    scene_graphs: Extraction | None = None
    features: Extraction | None = None


@dataclass(frozen=True)
class Encoding:
    """What any model takes, also one that was trained elsewhere.

    Attributes:
        parameters: by role.
        tokens_per_image: on average, [CLS] and padding not counted.
        flops_per_image: of encoding one image forward; a multiply-add is two. Where gates drop
            tokens, without what they drop at a budget of 1, at which models are scored.
    """

    parameters: Parameters
    tokens_per_image: float
    flops_per_image: float


@dataclass(frozen=True)
class Spending:
    """What a variant with gates keeps within a budget, as `semtok.train.spending`."""

    budget: float
    weight: float
    share: float
    others: float
    flops: float


@dataclass(frozen=True)
class Costs(Encoding):
    """Of a variant: means over its seeds; what does not depend on the seed is the same for all.

    Tokens are those of training images.

    Attributes:
        training_seconds: of one training, as the clock showed it.
        learning_rate: of all of them, at its highest.
        extraction: of masks and relations; None where no model finds any.
        images_per_second: in training, by the clock; None where nobody measured it.
        spending: on val, by budget; None where there are no gates.
    """

    training_seconds: float
    learning_rate: float
    extraction: Extraction | None = None
    images_per_second: float | None = None
    spending: tuple[Spending, ...] | None = None


AnyCosts = TypeVar("AnyCosts", bound=Encoding)


def of_trainings(folders: list[Path]) -> Costs:
    """Average the costs of a variant's trainings.

    Args:
        folders: `seed-S` of its checkpoint, at least one.

    Raises:
        SemtokError: a `training.json` is missing or not what training writes, or the trainings
            are of different models or learning rates.
    """
    found = [_of_training(folder / "training.json") for folder in folders]
    for folder, each in zip(folders, found, strict=True):
        if each.parameters != found[0].parameters:
            raise SemtokError(f"{folder}: another model than {folders[0]}; train both again")
        if each.learning_rate != found[0].learning_rate:
            raise SemtokError(f"{folder}: another rate than {folders[0]}; train both again")
    return Costs(
        parameters=found[0].parameters,
        tokens_per_image=fmean(each.tokens_per_image for each in found),
        flops_per_image=fmean(each.flops_per_image for each in found),
        training_seconds=fmean(each.training_seconds for each in found),
        learning_rate=found[0].learning_rate,
        images_per_second=_mean([each.images_per_second for each in found]),
        spending=_spending([each.spending for each in found]),
    )


def add_extraction(folder: Path, tokens: Path, variant: VariantSettings) -> None:
    """Add to `costs.json` of a folder what the models took that a variant's tokens rest on.

    Args:
        folder: with the `costs.json`; it stays where no model took anything.
        tokens: token shards, with what masks and scene graphs took where models found them.
        variant: it pays for relations where it is told any.

    Raises:
        SemtokError: as `read`.
    """
    path = tokens / _EXTRACTION
    if path.exists():
        found = parse(_ByStage, read_json(path), str(path))
        told = variant.intangible or variant.relation_bias
        stages = (found.masks, found.scene_graphs if told else None, found.features)
        paid = [each for each in stages if each]
        if paid:
            total = Extraction(
                parameters=sum(each.parameters for each in paid),
                flops_per_image=sum(each.flops_per_image for each in paid),
                images=max(each.images for each in paid),
            )
            write(folder, replace(read(folder), extraction=total))


def write(folder: Path, costs: Encoding) -> None:
    """Write `costs.json` into a folder."""
    (folder / NAME).write_text(json.dumps(asdict(costs), indent=2, sort_keys=True) + "\n")


def read(folder: Path) -> Costs:
    """Read the `costs.json` of a variant's scores.

    Raises:
        SemtokError: it is missing or not what `write` writes.
    """
    return _read(Costs, folder)


def read_outside(folder: Path) -> Encoding:
    """Read that of a model which was trained elsewhere, as `read`."""
    return _read(Encoding, folder)


def _read(kind: type[AnyCosts], folder: Path) -> AnyCosts:
    path = folder / NAME
    return parse(kind, read_json(path), str(path))


def _mean(values: list[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return fmean(known) if len(known) == len(values) else None


def _spending(found: list[tuple[Spending, ...] | None]) -> tuple[Spending, ...] | None:
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    by_budget = zip(*known, strict=True)
    return tuple(
        Spending(*(fmean(values) for values in zip(*map(astuple, of_seeds), strict=True)))
        for of_seeds in by_budget
    )


def _of_training(path: Path) -> Costs:
    raw = read_json(path)
    names = [each.name for each in fields(Costs)]
    return parse(Costs, {name: raw[name] for name in names if name in raw}, str(path))
