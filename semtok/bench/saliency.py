"""Segmentation of what stands out in an image, by TokenCut on the tokens that a model reads.

A case is an image with a mask, `saliency/ground_truth_mask/NAME.png` of the data root, in ECSSD's
format: what is not black is salient. The tasks are the F-measure (beta^2 = 0.3), the IoU and the
accuracy of the mask that `token_cut` finds, in percent (`overlap.py`). Masks are of the image's own
size, and cells of the token map are stretched over it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from annotated_types import Interval

from semtok.bench import official, token_maps
from semtok.bench.benchmark import SplitData
from semtok.bench.contestant import Contestant
from semtok.bench.embedding import Model
from semtok.bench.overlap import Overlap, overlap
from semtok.bench.token_cut import token_cut
from semtok.bench.token_maps import Features
from semtok.bench.token_regions import paint
from semtok.events import Emit, ignore
from semtok.parsing import parse

#: A model that was trained to match captions may know nothing of outlines.
CLEARS_CHANCE = False
NEEDS_TOKENS = True
NEEDS_SENTENCES = False

FOLDER = "saliency/ground_truth_mask"
_SOURCE = "masks as ECSSD has them, docs/saliency.md"


@dataclass(frozen=True)
class Settings:
    """Of TokenCut, as published for DINO."""

    features: Features = "keys"
    tau: Annotated[float, Interval(ge=-1, le=1)] = 0.2  # the cosine above which tokens are alike


def refusal(contestant: Contestant) -> str:
    """It looks at where in the image each token of the last block is."""
    return token_maps.refusal(contestant)


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image of the split that has a mask."""
    ids = np.array(sorted(_masks(data)), np.int64)
    return dict.fromkeys(Overlap._fields, ids)


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split."""
    from semtok.data.salient import read_mask

    settings = parse(
        Settings, data.settings.get("saliency", {}), "params.yaml: bench.settings.saliency"
    )
    masks, sizes = _masks(data), official.sizes(data)
    found: dict[int, Overlap] = {}
    maps = model.token_maps(data.images, settings.features, emit)
    for image_id, tokens in zip(data.images.image_ids.tolist(), maps, strict=True):
        if image_id in masks:
            truth = read_mask(masks[image_id], sizes[image_id])
            mask = token_cut(tokens.features, tokens.owners, settings.tau).mask
            found[image_id] = overlap(paint(mask, tokens.owners, *truth.shape), truth)
    ids = np.array(sorted(found), np.int64)
    return pa.concat_tables(
        pa.table(
            {
                "task": pa.repeat(task, len(ids)),
                "case_id": ids,
                "cluster_id": data.clusters(ids),
                "value": [100 * getattr(found[each], task) for each in ids.tolist()],
                "loss": pa.repeat(False, len(ids)),
            }
        )
        for task in Overlap._fields
    )


def _masks(data: SplitData) -> dict[int, Path]:
    """The masks of the split's images, by their ids."""
    return official.files_of_images(data, FOLDER, _SOURCE)
