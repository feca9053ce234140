"""Discovery of one object of each image, by LOST on the tokens that a model reads.

A case is an image with boxes, `corloc/Annotations/NAME.xml` of the data root, in the format of VOC.
Right is a box with an IoU of 0.5 or more with any true one; the mean is CorLoc. The floor is a task
of its own, `whole`, the same for all models: each image as a whole for its box.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from semtok.bench import official, token_maps
from semtok.bench.benchmark import SplitData
from semtok.bench.contestant import Contestant
from semtok.bench.embedding import Embedder
from semtok.bench.lost import drawn, gram_bias, hits, lost
from semtok.bench.question import of_images
from semtok.bench.token_maps import Features, TokenMap
from semtok.data import voc
from semtok.events import Emit, ignore
from semtok.parsing import parse

#: As of `saliency`.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = False

TASK, FLOOR = "lost", "whole"
FOLDER = "corloc/Annotations"
_SOURCE = "boxes as VOC has them, docs/saliency.md"


@dataclass(frozen=True)
class Settings:
    """Of LOST."""

    features: Features = "keys"
    bias: str = "centre"  # a rule of `gram_bias`


def refusal(contestant: Contestant) -> str:
    """It looks at where in the image each token of the last block is."""
    return token_maps.refusal(contestant)


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image of the split that has boxes."""
    return dict.fromkeys((TASK, FLOOR), np.array(sorted(_annotations(data)), np.int64))


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split."""
    settings = parse(
        Settings, data.settings.get("corloc", {}), "params.yaml: bench.settings.corloc"
    )
    annotations = _annotations(data)
    places = np.flatnonzero(np.isin(data.images.image_ids, [*annotations]))
    ids = data.images.image_ids[places]

    def maps(some: npt.NDArray[np.int64]) -> Iterator[TokenMap]:
        return model.token_maps(data.images, some, settings.features, emit)

    # The tokens of all images may not fit into memory: those of the bias are read for it alone.
    chosen = [tokens.features for tokens in maps(places[drawn(len(places))])]
    bias = gram_bias(chosen, settings.bias) if chosen else 0.0
    right: dict[str, list[bool]] = {TASK: [], FLOOR: []}
    for image_id, tokens in zip(ids.tolist(), maps(places), strict=True):
        _, (width, height), boxes = voc.parse(annotations[image_id])
        rows, columns = tokens.owners.shape
        box = lost(tokens.features, tokens.owners, bias)
        wide, high = width / columns, height / rows
        found = (box[0] * wide, box[1] * high, box[2] * wide, box[3] * high)
        right[TASK].append(hits(found, boxes))
        right[FLOOR].append(hits((0, 0, width, height), boxes))
    return pa.concat_tables(
        pa.table(
            {
                "task": pa.repeat(task, len(ids)),
                "case_id": ids,
                "cluster_id": data.clusters(ids),
                "value": 100 * np.array(of_task, np.float64),
                "loss": pa.repeat(False, len(ids)),
            }
        )
        for task, of_task in right.items()
    )


def row_images(index: Path | None) -> dict[str, list[tuple[str, ...]]]:
    """The folder of annotations -> the image of each."""
    files = official.image_files(index, FOLDER, _SOURCE)
    return {FOLDER: [(each.stem,) for each in files]}


#: A case is an image.
questions = of_images


def _annotations(data: SplitData) -> dict[int, Path]:
    """The annotations of the split's images, by their ids."""
    return official.files_of_images(data, FOLDER, _SOURCE)
