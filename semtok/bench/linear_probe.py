"""Linear probe: can a linear classifier of the frozen embeddings tell the classes?

A multinomial logistic regression (`logistic.py`) learns the classes of train's images from their
vectors, as CLIP is judged (Radford et al. 2021). Its penalty is chosen among `PENALTIES` on a fifth
of train, by the images' ids, that the others do not see: the one by which most of its images are
told rightly, of equals the strongest. Then it learns from all of train. No other split is looked
at.

Classes, cases and scores are those of `classification.py`; the text side is not asked. Where all
images have one vector, the classifier says the commonest class of train, or, where none is the
commonest, nothing: a tie is a miss.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from semtok.bench import classification, logistic
from semtok.bench.benchmark import SplitData
from semtok.bench.classification import case_ids, questions
from semtok.bench.embedding import Embedder
from semtok.bench.folds import folds_of
from semtok.bench.logistic import Linear
from semtok.events import Emit, Progress, ignore

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

#: Of the mean loss over unit vectors, the strongest first.
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)

#: One in so many training images is held out, to choose the penalty.
FOLDS = 5


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; an image and its sibling are one cluster."""
    assert data.train is not None, "a probe learns from training images"
    classes = classification.read(data.index, "linear_probe")
    known = classification.labels(data.train, classes)
    held_out = folds_of(data.train.clusters(data.train.images.image_ids), FOLDS) == 0
    train = model.embed_images(data.train.images, emit)
    learned = _learned(train, (*known.tolist(),), (*held_out.tolist(),), len(classes.names), emit)
    images = model.embed_images(data.images, emit)
    return classification.cases(data, classes, learned(images).cpu().numpy())


@lru_cache(maxsize=1)
def _learned(
    train: Tensor, labels: tuple[int, ...], held_out: tuple[bool, ...], classes: int, emit: Emit
) -> Linear:
    """`learn`, remembered: all splits of a model ask for the same."""
    return learn(train, torch.tensor(labels), torch.tensor(held_out), classes, emit)


def learn(
    train: Tensor, labels: Tensor, held_out: Tensor, classes: int, emit: Emit = ignore
) -> Linear:
    """Choose the penalty on the images that are held out, then learn from all.

    Args:
        train: [T, P] float, unit rows.
        labels: [T] int64, 0..C-1.
        held_out: [T] bool.
        classes: C.
        emit: told of progress.
    """
    labels, held_out = labels.to(train.device), held_out.to(train.device)
    tries = len(PENALTIES) + 1
    right, found = [], None
    for number, penalty in enumerate(PENALTIES):
        emit(Progress("linear probe", number, tries))
        found = logistic.fit(train[~held_out], labels[~held_out], classes, penalty, found)
        ranks, _ = classification.choose(
            found(train[held_out]).cpu().numpy(),
            labels[held_out].cpu().numpy().astype(np.int32),
        )
        right.append(int((ranks == 1).sum()))
    penalty = PENALTIES[right.index(max(right))]
    emit(Progress("linear probe", len(PENALTIES), tries))
    chosen = logistic.fit(train, labels, classes, penalty)
    emit(Progress("linear probe", tries, tries))
    return chosen
