"""Faithfulness: do the tokens that an attribution puts first carry what the model says?

Comprehensiveness and sufficiency of ERASER (DeYoung et al. 2020, arXiv 1911.03429), of images: how
much probability what the model chose loses when the first k tokens are removed, and how much is
missing when they are all that is left; each is the mean over k (AOPC). A faithful attribution has
a high comprehensiveness and a low sufficiency. Beside each attribution stands the floor: tokens
in random order, of which the same share is removed.

ERASER asks classifiers. Where the data set lists classes these are what a model chooses from; an
image-text model has none, so that it chooses among captions of the split, the same ones for
every image (OURS).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from semtok.bench import classification, official, removal
from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Model
from semtok.events import Emit, Progress, ignore
from semtok.tokens.batch import TokenBatch

#: A value is no choice among candidates, so that there is no chance to clear.
CLEARS_CHANCE = False
NEEDS_TOKENS = True

#: Images of a split that are asked, and captions that a model chooses from, at most.
IMAGES, CAPTIONS = 500, 100

#: Images encoded at once: each has maps of its attention in every block and head.
_BATCH = 64

#: Name of a measure -> whether it is a loss.
_MEASURES = {"comprehensiveness": False, "sufficiency": True}


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image and task, of a random sample of the split; tasks are `MEASURE_ATTRIBUTION`.

    The sample depends on the ids alone, and not on the order in which a tokenizer has them.
    """
    ids = np.sort(data.images.image_ids)
    ids = np.sort(np.random.default_rng(0).permutation(ids)[:IMAGES])
    names = (*removal.ATTRIBUTIONS, removal.RANDOM)
    return {f"{measure}_{name}": ids for name in names for measure in _MEASURES}


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; an image and its sibling are one cluster."""
    ids = next(iter(case_ids(data).values()))
    found = removed(model, data, ids, emit)
    clusters, parts = data.clusters(ids), []
    for name in found.without:
        for measure, left in (("comprehensiveness", found.without), ("sufficiency", found.alone)):
            parts.append(
                pa.table(
                    {
                        "task": pa.repeat(f"{measure}_{name}", len(ids)),
                        "case_id": ids,
                        "cluster_id": clusters,
                        "value": 100 * (found.whole - left[name]).mean(axis=0),
                        "loss": pa.repeat(_MEASURES[measure], len(ids)),
                    }
                )
            )
    return pa.concat_tables(parts)


def removed(
    model: Model, data: SplitData, image_ids: npt.NDArray[np.int64], emit: Emit = ignore
) -> removal.Removal:
    """What a model says of some images of a split once tokens are removed, in the order of ids."""
    order = np.argsort(data.images.image_ids)
    places = order[np.searchsorted(data.images.image_ids, image_ids, sorter=order)]

    def batches() -> Iterator[tuple[npt.NDArray[np.int64], TokenBatch]]:
        for start in range(0, len(places), _BATCH):
            emit(Progress("removing tokens", start, len(places)))
            here = slice(start, start + _BATCH)
            yield image_ids[here], model.token_sets(data.images, places[here])
        emit(Progress("removing tokens", len(places), len(places)))

    return removal.measure(model.network, batches(), candidates(model, data, emit))


def candidates(model: Model, data: SplitData, emit: Emit = ignore) -> torch.Tensor:
    """What a model chooses from, [C, P]: the classes, else a random sample of different captions.

    Of each image the first caption, so that no image is asked about more often than others.
    """
    if official.has(data.index, classification.FILE):
        classes = classification.read(data.index)
        vectors = classification.class_vectors(model, data.index, classes, emit)
        return torch.from_numpy(vectors).to(model.network.log_scale.device)
    first = dict(
        zip(
            reversed(data.captions["image_id"].to_pylist()),
            reversed(data.captions["caption"].to_pylist()),
            strict=True,
        )
    )
    texts = np.array(sorted({*first.values()}), dtype=object)
    chosen = np.random.default_rng(0).permutation(texts)[:CAPTIONS].tolist()
    # A copy that gradients may pass, which those made for inference may not.
    return model.embed_texts(chosen, emit).clone()
