"""kNN: of which class are an image's nearest training images?

The weighted classifier of Wu et al. (2018, arXiv 1805.01978) by which DINO judges its features
(Caron et al. 2021): the training images whose vectors are most similar to the image's vote for
their class, each with exp(similarity / temperature), and the class with most votes is chosen.
Nothing is trained and nothing is chosen on any split. Images that are as near as the last of these
neighbours vote too, so that no order of training images decides.

Classes, cases and scores are those of `classification.py`; the text side is not asked. A wrong
class with as many votes as the image's own stands before it, so that R@5 and R@10 count no class
that none of the neighbours has.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from annotated_types import Gt

from semtok.bench import classification
from semtok.bench.benchmark import SplitData
from semtok.bench.classification import case_ids, questions
from semtok.bench.embedding import Embedder
from semtok.bench.ranking import BLOCK, TIE
from semtok.events import Emit, Progress, ignore
from semtok.parsing import parse

__all__ = [
    "CLEARS_CHANCE",
    "NEEDS_SENTENCES",
    "NEEDS_TOKENS",
    "case_ids",
    "questions",
    "score",
]

CLEARS_CHANCE = True
NEEDS_TOKENS = False
NEEDS_SENTENCES = False


@dataclass(frozen=True)
class Settings:
    """Of the vote, as published for DINO: of 10, 20, 100 and 200 neighbours 20 did best there."""

    neighbours: Annotated[int, Gt(0)] = 20
    temperature: Annotated[float, Gt(0)] = 0.07


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; an image and its sibling are one cluster."""
    assert data.train is not None, "neighbours are training images"
    settings = parse(Settings, data.settings.get("knn", {}), "params.yaml: bench.settings.knn")
    classes = classification.read(data.index, "knn")
    known = classification.labels(data.train, classes)
    train = model.embed_images(data.train.images, emit)
    images = model.embed_images(data.images, emit)
    found = votes(images, train, known, len(classes.names), settings, emit=emit)
    return classification.cases(data, classes, found)


def votes(
    images: torch.Tensor,
    train: torch.Tensor,
    labels: npt.NDArray[np.int32],
    classes: int,
    settings: Settings,
    block: int = BLOCK,
    emit: Emit = ignore,
) -> npt.NDArray[np.float64]:
    """What share of its neighbours' votes each class has: [N, C], each row sums to 1.

    Args:
        images: [N, P] float, unit rows.
        train: [T, P] likewise, on the same device.
        labels: [T] the class of each training image, 0..C-1.
        classes: C.
        settings: of how many neighbours, and what distance counts.
        block: bytes of similarities held at once.
        emit: told of progress.
    """
    rows = max(1, block // (8 * len(train)))
    columns, found = train.double().T, np.zeros((len(images), classes))
    for start in range(0, len(images), rows):
        emit(Progress("nearest neighbours", start, len(images)))
        similar = images[start : start + rows].double() @ columns
        best = similar.topk(min(settings.neighbours, len(train)), dim=1).values
        image, place = (similar >= best[:, -1:] - TIE).nonzero(as_tuple=True)
        # Counted from the nearest one, whose vote is 1: no exponential is too large.
        nearer = (similar[image, place] - best[image, 0]) / settings.temperature
        # Summed on the CPU, where the order of addends is always the same.
        cells = image.cpu().numpy() * classes + labels[place.cpu().numpy()]
        size = len(similar) * classes
        counted = np.bincount(cells, weights=nearer.exp().cpu().numpy(), minlength=size)
        counted = counted.reshape(len(similar), classes)
        found[start : start + rows] = counted / counted.sum(axis=1, keepdims=True)
    emit(Progress("nearest neighbours", len(images), len(images)))
    return found
