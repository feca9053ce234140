"""Pictures over a channel, ranked by the attention of a trained variant: what arrives of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from semtok.bench import benchmark, classification, official
from semtok.bench.embedding import Model
from semtok.bench.patch_models import encoder_of_patches
from semtok.bench.transmission import RATE_DISTORTION, Drawn, measure, send
from semtok.data import index as indexed
from semtok.errors import SemtokError
from semtok.events import Emit, ignore
from semtok.models.transmission import CHOICES
from semtok.report import transmission as report
from semtok.tables import write_table
from semtok.tokens.batch import TokenBatch
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.transmission import Recipe, train_link

#: Images that the picture of what arrives shows.
_SHOWN = 3


def transmit(
    trained: Path,
    train_shards: Path,
    test_shards: Path,
    index: Path,
    recipe: Recipe,
    folder: Path,
    emit: Emit = ignore,
) -> pa.Table:
    """Train a link for each way of choosing patches, and measure all of them.

    Args:
        trained: `seed-S` of a variant's checkpoint: its attention ranks patches and, where the data
            set lists classes, it is the classifier that looks at what arrived.
        train_shards: to train the links on.
        test_shards: to measure them on.
        index: of both splits.
        recipe: of the links.
        folder: to write `rate_distortion.parquet`, `rate_distortion.png` and `pictures.png` into.
        emit: told of progress.

    Returns:
        Schema `RATE_DISTORTION`.

    Raises:
        SemtokError: the variant is not one of our encoders, without gates, of patches of RGB
            alone, or a training diverged.
    """
    ranker = checkpoint.load(trained, _device())
    train, test = ranker.open_shards(train_shards), ranker.open_shards(test_shards)
    rows, vision = test.rows(np.arange(min(_SHOWN, len(test)))), encoder_of_patches(ranker)
    if vision is None or not isinstance(rows, PixelRows) or rows.pixels.shape[-1] != 3:
        raise SemtokError(
            f"{trained}: does not rank patches of RGB; name a variant with encoder: tokens, "
            "without gates, and a tokenizer of the scheme grid"
        )
    folder.mkdir(parents=True, exist_ok=True)  # before the work: it may be no folder at all
    links = {
        choice: train_link(train, ranker.collate, vision, choice, recipe, emit)
        for choice in CHOICES
    }
    table = measure(links, ranker, test, classifier(trained, test, index), emit)
    write_table(folder / "rate_distortion.parquet", table, RATE_DISTORTION)
    report.draw(table, folder / "rate_distortion.png")
    shown: list[Drawn] = list(send(links, ranker, ranker.collate(rows), 0))
    report.draw_pictures(rows.pixels, shown, folder / "pictures.png")
    return table


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
    model = checkpoint.load(trained, _device()).model

    def right(batch: TokenBatch, places: slice) -> Tensor:
        similarities = model.encode_image(batch).double().cpu().numpy() @ names.T
        ranks, _ = classification.choose(similarities, own[places])
        return torch.from_numpy(ranks == 1)

    return right


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
