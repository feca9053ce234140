"""Segmentation of what stands out in an image, by TokenCut on the tokens that a model reads.

A case is an image with a mask, `saliency/ground_truth_mask/NAME.png` of the data root, in ECSSD's
format: what is not black is salient. The tasks are the F-measure (beta^2 = 0.3), the IoU and the
accuracy of the mask that `token_cut` finds, in percent (`overlap.py`), and `max_f`, the F-measure
of the pixels where its eigenvector is above a threshold: the one of all at which the mean over the
split's images is the largest, so that this mean is max F as papers print it. Masks are of the
image's own size, and cells of the token map are stretched over it.

Floors are tasks of their own, the same for all models: of the whole image as the answer (`_whole`),
and of a box in its centre, half as wide and half as high (`_centre`). Either has one
F-measure at every threshold, so that `f_whole` and `f_centre` are floors of `max_f` too, and the
higher one counts.
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
from semtok.bench.embedding import Embedder
from semtok.bench.overlap import Overlap, f_curve, overlap
from semtok.bench.question import of_images
from semtok.bench.segmentation import cut
from semtok.bench.token_maps import Features
from semtok.events import Emit, ignore
from semtok.parsing import parse

#: A model that was trained to match captions may know nothing of outlines.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = False

FOLDER = "saliency/ground_truth_mask"
MAX_F = "max_f"
_TASKS = (
    *Overlap._fields,
    MAX_F,
    *(f"{measure}_{answer}" for answer in ("whole", "centre") for measure in Overlap._fields),
)
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
    return dict.fromkeys(_TASKS, ids)


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split."""
    from semtok.data.salient import read_mask

    settings = parse(
        Settings, data.settings.get("saliency", {}), "params.yaml: bench.settings.saliency"
    )
    masks, sizes = _masks(data), official.sizes(data)
    found: dict[int, dict[str, float]] = {}
    curves: dict[int, npt.NDArray[np.float64]] = {}
    order = data.images.image_ids
    places = np.flatnonzero(np.isin(order, [*masks]))
    maps = model.token_maps(data.images, places, settings.features, emit)
    for image_id, tokens in zip(order[places].tolist(), maps, strict=True):
        truth = read_mask(masks[image_id], sizes[image_id])
        mask, heat = cut(tokens, settings.tau, truth.shape)
        found[image_id] = overlap(mask, truth)._asdict() | _floors(truth)
        curves[image_id] = f_curve(heat, truth)
    ids = np.array(sorted(found), np.int64)
    if len(ids):
        # One threshold for all images, at which their mean is the largest.
        best = int(np.mean([curves[each] for each in ids.tolist()], axis=0).argmax())
        for each, curve in curves.items():
            found[each][MAX_F] = float(curve[best])
    return pa.concat_tables(
        pa.table(
            {
                "task": pa.repeat(task, len(ids)),
                "case_id": ids,
                "cluster_id": data.clusters(ids),
                "value": [100 * found[each][task] for each in ids.tolist()],
                "loss": pa.repeat(False, len(ids)),
            }
        )
        for task in _TASKS
    )


def row_images(index: Path | None) -> dict[str, list[tuple[str, ...]]]:
    """The folder of masks -> the image of each."""
    files = official.image_files(index, FOLDER, _SOURCE)
    return {FOLDER: [(each.stem,) for each in files]}


#: A case is an image.
questions = of_images


def _floors(truth: npt.NDArray[np.bool_]) -> dict[str, float]:
    """What answers score that look at no image, of which [H, W] is true."""
    height, width = truth.shape
    centre = np.zeros_like(truth)
    centre[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    answers = {"whole": np.ones_like(truth), "centre": centre}
    return {
        f"{measure}_{name}": value
        for name, answer in answers.items()
        for measure, value in overlap(answer, truth)._asdict().items()
    }


def _masks(data: SplitData) -> dict[int, Path]:
    """The masks of the split's images, by their ids."""
    return official.files_of_images(data, FOLDER, _SOURCE)
