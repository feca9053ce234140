"""Retrieval as papers report it on Karpathy's test: five captions an image, 5K and 1K, and RSUM.

Asked is what `retrieval` asks, with the first five captions of each image, by their ids, and with
all of them. `_folds`: the mean over five folds of the images, in the order of their ids; of 5,000
images that is 1K. A recall is the mean over folds; the median rank is that of all their cases.
`rsum` is the sum of the six recalls, R@1, R@5 and R@10 both ways, in percent, 600 at most: as a
value of each case whose mean, over both ways and the folds of each, it is.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import retrieval
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import RECALLS
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.events import Emit, ignore
from semtok.remote import AnyPath

CLEARS_CHANCE = True
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

#: Captions of an image that are taken, of its own in the order of their ids.
CAPTIONS = 5
FOLDS = 5

#: What is added to the name of a task of folds, and of one with all captions.
IN_FOLDS, ALL = "_folds", "_all"
RSUM = "rsum"

_IMAGES, _TEXTS = "image_to_text", "text_to_image"


@dataclass(frozen=True)
class _Fold:
    """Some images and their captions, by their places [i] and [t] in the split."""

    images: npt.NDArray[np.int64]
    captions: npt.NDArray[np.int64]


@dataclass
class _Some:
    """Some of a split's images, as `embedding.Images`."""

    folder: AnyPath
    image_ids: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.image_ids)


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image and a case a caption; of `rsum` both."""
    found: dict[str, npt.NDArray[np.int64]] = {}
    captions = data.captions["caption_id"].to_numpy()
    for way, folds in _protocols(data).items():
        images = np.concatenate([data.images.image_ids[each.images] for each in folds])
        texts = np.concatenate([captions[each.captions] for each in folds])
        found |= {_IMAGES + way: images, _TEXTS + way: texts}
        found[RSUM + way] = np.concatenate([_ids(images, False), _ids(texts, True)])
    return found


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split: as `retrieval.score`, once a fold."""
    images = model.embed_images(data.images, emit)
    texts = model.embed_texts(data.captions["caption"].to_pylist(), emit)
    tables = []
    for way, folds in _protocols(data).items():
        for number, fold in enumerate(folds):
            some = _of_fold(data, fold)
            cases = retrieval.of_way(some, "", images[fold.images], texts[fold.captions], emit)
            tables += [_ranked(cases, way, number, len(folds)), _summed(cases, way, number)]
    return pa.concat_tables(tables, promote_options="default")


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """As those of `retrieval`; of `rsum` an image or a caption, whichever the case is."""
    if not task.startswith(RSUM):
        found = retrieval.questions(index, task, case_ids)
        return found if task.endswith(ALL) else {each: _few(own) for each, own in found.items()}
    asked: dict[int, Question] = {}
    for texts, name in ((False, _IMAGES), (True, _TEXTS)):
        ids = [each // 2 for each in case_ids if each % 2 == texts]
        found = questions(index, name + task.removeprefix(RSUM), ids)
        asked |= {2 * each + texts: own for each, own in found.items()}
    return asked


def _few(asked: Question) -> Question:
    """With the captions that are taken of each image."""
    return replace(asked, captions=tuple(own[:CAPTIONS] for own in asked.captions))


def _protocols(data: SplitData) -> dict[str, list[_Fold]]:
    """What is asked: the end of tasks' names -> folds, one where all images are asked at once.

    Images beyond five equal folds, four at most, are in none; with fewer than five there are none.
    """
    owners, image_ids = data.captions["image_id"].to_numpy(), data.images.image_ids
    few, every = _first(owners) < CAPTIONS, np.ones(len(owners), np.bool_)
    size = len(image_ids) // FOLDS
    folds = np.argsort(image_ids)[: FOLDS * size].reshape(FOLDS, size)
    found = {}
    for (captions, kept), (way, parts) in product(
        (("", few), (ALL, every)),
        (("", np.arange(len(image_ids))[None]), (IN_FOLDS, folds)),
    ):
        if parts.size:
            found[way + captions] = [
                _Fold(part, np.flatnonzero(kept & np.isin(owners, image_ids[part])))
                for part in parts
            ]
    return found


def _first(owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The place of each caption among those of its image, from 0."""
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], owners[order])
    places = np.empty(len(owners), np.int64)
    places[order] = np.arange(len(owners)) - starts
    return places


def _of_fold(data: SplitData, fold: _Fold) -> SplitData:
    """A fold as a split of its own."""
    image_ids = data.images.image_ids[fold.images]
    captions = data.captions.take(pa.array(fold.captions))
    truth = data.truth
    if truth is not None:
        of_captions = pc.is_in(truth["caption_id"], captions["caption_id"].combine_chunks())
        truth = truth.filter(pc.and_(of_captions, pc.is_in(truth["image_id"], pa.array(image_ids))))
    return replace(
        data, images=_Some(data.images.folder, image_ids), captions=captions, truth=truth
    )


def _ranked(cases: pa.Table, way: str, number: int, folds: int) -> pa.Table:
    """The cases of a fold, under the names of the tasks; each of several folds is a group."""
    tasks = pa.array([task + way for task in cases["task"].to_pylist()])
    group = pa.scalar(str(number) if folds > 1 else None, pa.string())
    named = cases.set_column(cases.column_names.index("task"), "task", tasks)
    return named.append_column("group", pa.repeat(group, len(cases)))


def _summed(cases: pa.Table, way: str, number: int) -> pa.Table:
    """The cases of a fold as those of `rsum`: twice their hits, as the mean is over both ways."""
    ranks, tasks = cases["rank"].to_numpy(), np.array(cases["task"].to_pylist())
    hits = np.sum([ranks <= limit for limit in RECALLS.values()], axis=0)
    return pa.table(
        {
            "task": pa.repeat(RSUM + way, len(cases)),
            "case_id": _ids(cases["case_id"].to_numpy(), tasks == _TEXTS),
            "cluster_id": cases["cluster_id"],
            "group": [f"{task} {number}" for task in tasks],
            "value": 2 * 100.0 * hits,
            "loss": np.zeros(len(cases), np.bool_),
        }
    )


def _ids(ids: npt.NDArray[np.int64], texts: bool | npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Ids of cases in `rsum`, where an image may have the id of a caption."""
    return 2 * ids + texts
