"""A variant as far as benchmarks have to know which one they ask."""

from dataclasses import dataclass
from pathlib import Path

from semtok.models.class_table import ClassText
from semtok.params import CLASSES, Params, VisionEncoder
from semtok.train import checkpoint


@dataclass(frozen=True)
class Contestant:
    """What of a variant decides which benchmarks it can be asked.

    Attributes:
        scheme: of its tokenizer.
        encoder: which one.
        depth: how many blocks it has.
        clusters: whether tokens attend within clusters alone.
        gates: whether tokens are dropped on their way.
        classes: whether it reads names of classes alone, and no sentences.
    """

    scheme: str
    encoder: VisionEncoder
    depth: int
    clusters: bool
    gates: bool
    classes: bool


def of_params(params: Params, variant: str) -> Contestant:
    """The one that a variant of `params.yaml` will be."""
    settings = params.variants[variant]
    return Contestant(
        scheme=str(params.tokenizers[settings.tokenizer].get("scheme")),
        encoder=settings.encoder,
        depth=params.encoder.depth,
        clusters=settings.clusters is not None,
        gates=settings.gates is not None,
        classes=params.text.tower == CLASSES,
    )


def of_training(folder: Path) -> Contestant:
    """The one that was trained.

    Args:
        folder: `seed-S` of a checkpoint artifact.

    Raises:
        SemtokError: it is missing, damaged or of another format.
    """
    config, tokens = checkpoint.shape(folder)
    return Contestant(
        scheme=str(tokens["scheme"]),
        encoder=config.vision.encoder,
        depth=config.encoder.depth,
        clusters=config.vision.clusters is not None,
        gates=config.vision.gates is not None,
        classes=isinstance(config.text, ClassText),
    )
