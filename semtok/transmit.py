"""Pictures over a channel, ranked by the attention of a trained variant: what arrives of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from semtok.bench import benchmark, classification, official
from semtok.bench.transmission import RATE_DISTORTION, Drawn, measure, send
from semtok.data import index as indexed
from semtok.errors import SemtokError
from semtok.events import Emit, ignore
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.transmission import CHOICES
from semtok.report import transmission as report
from semtok.tables import write_table
from semtok.tokens.batch import TokenBatch
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.checkpoint import Checkpoint
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
        SemtokError: the variant does not see patches of RGB alone, or a training diverged.
    """
    ranker = checkpoint.load(trained, "cuda" if torch.cuda.is_available() else "cpu")
    train, test = ranker.open_shards(train_shards), ranker.open_shards(test_shards)
    rows, vision = test.rows(np.arange(min(_SHOWN, len(test)))), ranker.model.vision
    if (
        not isinstance(rows, PixelRows)
        or rows.pixels.shape[-1] != 3
        or not isinstance(vision, VisualTokenEncoder)
    ):
        raise SemtokError(f"{trained}: sees more than patches; take a variant of the scheme grid")
    links = {
        choice: train_link(train, ranker.collate, vision, choice, recipe, emit)
        for choice in CHOICES
    }
    table = measure(links, ranker, test, _classifier(ranker, test, index), emit)
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "rate_distortion.parquet", table, RATE_DISTORTION)
    report.draw(table, folder / "rate_distortion.png")
    shown: list[Drawn] = list(send(links, ranker, ranker.collate(rows), 0))
    report.draw_pictures(rows.pixels, shown, folder / "pictures.png")
    return table


def _classifier(
    ranker: Checkpoint, shards: TokenShards, index: Path
) -> Callable[[TokenBatch, slice], Tensor] | None:
    """Which images the variant classifies rightly; None where the data set has no classes."""
    if not official.has(index, classification.FILE):
        return None
    classes = classification.read(index)
    data = benchmark.split_data("test", shards, indexed.annotations(index))
    own = classification.labels(data, classes)
    model = ranker.model
    with torch.inference_mode():
        ids = ranker.text_tokenizer.encode(list(classes.names))
        names = model.encode_text(ids.to(model.log_scale.device)).double()

    def right(batch: TokenBatch, places: slice) -> Tensor:
        similarities = (model.encode_image(batch).double() @ names.T).cpu().numpy()
        ranks, _ = classification.choose(similarities, own[places])
        return torch.from_numpy(ranks == 1)

    return right
