"""A model as far as benchmarks have to know which one they ask."""

from dataclasses import dataclass
from pathlib import Path

from semtok.models.class_table import ClassText
from semtok.params import CLASSES, Params
from semtok.train import checkpoint

#: Libraries whose vision transformers tell what their last block makes of each patch.
OTHERS = ("transformers", "open_clip")


@dataclass(frozen=True)
class Contestant:
    """What of a model decides which benchmarks it can be asked.

    Attributes:
        scheme: of its tokenizer; of a model that cuts images into patches itself, grid.
        encoder: which one; of a model of another library, that library (`OTHERS`), or what is not
            known of it.
        depth: how many blocks it has.
        clusters: whether tokens attend within clusters alone.
        gates: whether tokens are dropped on their way.
        classes: whether it reads names of classes alone, and no sentences.
        shards: whether it reads the data set's token shards, as variants do; a model that was
            trained elsewhere, and a registered version, read image files.
    """

    scheme: str
    encoder: str
    depth: int
    clusters: bool
    gates: bool
    classes: bool
    shards: bool = True


def of_library(encoder: str, depth: int) -> Contestant:
    """A model of another library, of patches; arguments as `Contestant`."""
    return Contestant("grid", encoder, depth, False, False, False, shards=False)


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
