"""The stage `transmission`: links whose patches a trained variant ranks, and what they draw."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench import benchmark, classification, official
from semtok.bench.device import device
from semtok.bench.embedding import Model
from semtok.bench.patch_models import encoder_of_patches
from semtok.bench.transmission import Drawn, measure, send
from semtok.data import index as indexed
from semtok.events import Emit, ignore
from semtok.models.transmission import CHOICES
from semtok.params import TransmissionSettings
from semtok.tokens.batch import TokenBatch
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.transmission import train_link

#: Images that the picture of what arrives shows.
_SHOWN = 3


@dataclass(frozen=True)
class Sent:
    """What came of sending a split.

    Attributes:
        table: schema `RATE_DISTORTION`.
        originals: the first images of the split, [B, H, W, 3].
        drawn: what arrived of these, at every rate and ratio and by every choice.
    """

    table: pa.Table
    originals: NDArray[np.uint8]
    drawn: list[Drawn]


def build(
    trained: Path,
    train_shards: Path,
    test_shards: Path,
    index: Path,
    settings: TransmissionSettings,
    emit: Emit = ignore,
) -> Sent:
    """Train a link for each way of choosing patches, and measure all of them.

    Args:
        trained: `seed-S` of a variant's checkpoint: its attention ranks patches and, where the data
            set lists classes, it is the classifier that looks at what arrived.
        train_shards: to train the links on.
        test_shards: to measure them on.
        index: of both splits.
        settings: the recipe of the links.
        emit: told of progress.

    Raises:
        SemtokError: a training diverged, or a file cannot be read.
    """
    ranker = checkpoint.load(trained, device())
    train, test = ranker.open_shards(train_shards), ranker.open_shards(test_shards)
    rows, vision = test.rows(np.arange(min(_SHOWN, len(test)))), encoder_of_patches(ranker)
    assert vision is not None, "settings are refused that name another variant"
    assert isinstance(rows, PixelRows), "likewise"
    links = {
        choice: train_link(train, ranker.collate, vision, choice, settings, emit)
        for choice in CHOICES
    }
    table = measure(links, ranker, test, classifier(trained, test, index), emit)
    return Sent(table, rows.pixels, list(send(links, ranker, ranker.collate(rows), 0)))


def classifier(
    trained: Path, shards: TokenShards, index: Path
) -> Callable[[TokenBatch, slice], Tensor] | None:
    """Which images a variant classifies rightly, as the benchmark `classification` does.

    Args:
        trained: `seed-S` of the variant's checkpoint.
        shards: of a split.
        index: of that split.

    Returns:
        Of a batch of images, and their places in the split, which are classified rightly, [B] bool;
        None where the data set has no classes.
    """
    if not official.has(index, classification.FILE):
        return None
    classes = classification.read(index)
    data = benchmark.split_data("test", shards, indexed.annotations(index))
    own = classification.labels(data, classes)
    names = classification.class_vectors(Model(trained), index, classes)
    model = checkpoint.load(trained, device()).model

    def right(batch: TokenBatch, places: slice) -> Tensor:
        similarities = model.encode_image(batch).double().cpu().numpy() @ names.T
        ranks, _ = classification.choose(similarities, own[places])
        return torch.from_numpy(ranks == 1)

    return right
