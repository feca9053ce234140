"""SugarCrepe: of a caption and a slightly different one that is false, which is the image's.

The benchmark of Hsieh et al. 2023, from its official files: SUBSET.json of seven subsets, each
`{"0": {"filename", "caption", "negative_caption"}}` with keys that may leave numbers out. Right is
whose caption is more similar to the image than the negative one, by strict comparison, so that a
tie is a miss. Guessing: 1 in 2.

The task `caption` is the mean of the seven subsets; its parts are the means of `add`, `replace` and
`swap`, and the subsets. Only rows on images of the split are asked: COCO's val2017, which the
benchmark is made of, overlaps Karpathy's training split.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from semtok.bench import blind, matching, official
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import PART
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.data import documents
from semtok.errors import SemtokError
from semtok.events import Emit, ignore

#: To tell a caption from one that differs in a word is hard: a sound model may do no better than
#: guess.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

SUBSETS = (
    *("add_att", "add_obj"),
    *("replace_att", "replace_obj", "replace_rel"),
    *("swap_att", "swap_obj"),
)
_SOURCE = "github.com/RAIVNLab/sugar-crepe, data/"
_FIELDS = {"filename": str, "caption": str, "negative_caption": str}
_IDS = 8  # a case's id: its key times this, plus its subset's place


class _Row(NamedTuple):
    case_id: int
    subset: str
    file: str
    captions: tuple[str, str]  # the image's, and the negative one


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case a row, in the mean of all subsets and in the parts that its subset belongs to."""
    rows, _ = _asked(_rows(data.index), data)
    return {
        task: np.array([row.case_id for row in rows if row.subset in subsets], np.int64)
        for task, subsets in _tasks(rows).items()
    }


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; the captions of an image and its sibling are one cluster."""
    every = _rows(data.index)
    official.tell(data, "sugar_crepe", [row.file for row in every], emit)
    rows, image_ids = _asked(every, data)
    nothing = np.zeros(0, np.int32)
    tables = [_cases("caption", [], image_ids[:0], nothing, nothing, np.zeros((0, 2)), False)]
    if rows:
        captions = [row.captions for row in rows]
        similar = matching.similarities(model, data, image_ids, captions, emit)
        ranks = matching.ranks(similar)
        unseen = blind.ranks(data, captions)
        clusters = data.clusters(image_ids)
        for task, subsets in _tasks(rows).items():
            here = np.array([row.subset in subsets for row in rows])
            chosen = [row for row in rows if row.subset in subsets]
            found = clusters[here], ranks[here], unseen[here], similar[here]
            tables.append(_cases(task, chosen, *found, len(subsets) > 1))
    return pa.concat_tables(tables)


def row_images(index: Path | None) -> dict[str, list[tuple[str, ...]]]:
    """Official file -> the image of each of its rows."""
    return {
        _file(name): [(row.file,) for row in _subset(index, place, name)]
        for place, name in enumerate(SUBSETS)
    }


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What rows ask, for people to look at."""
    rows = [row for row in _rows(index) if row.case_id in case_ids]
    images = official.images_of(index, [row.file for row in rows])
    return {
        row.case_id: Question((image_id,), (row.captions[:1],), row.captions[1:])
        for row, image_id in zip(rows, images, strict=True)
    }


def _cases(
    task: str,
    rows: list[_Row],
    clusters: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    unseen: npt.NDArray[np.int32],
    similar: npt.NDArray[np.float64],
    grouped: bool,
) -> pa.Table:
    ids = np.array([row.case_id for row in rows], np.int64)
    groups = [row.subset for row in rows] if grouped else None
    candidates = np.full(len(rows), 2, np.int32)
    return matching.cases(task, ids, clusters, ranks, candidates, unseen, similar, groups)


def _tasks(rows: list[_Row]) -> dict[str, tuple[str, ...]]:
    """Task -> the subsets whose mean it is; of subsets that have rows."""
    there = tuple(name for name in SUBSETS if any(row.subset == name for row in rows))
    found = {"caption": there}
    for kind in ("add", "replace", "swap"):
        found["caption" + PART + kind] = tuple(name for name in there if name.startswith(kind))
    found |= {"caption" + PART + name: (name,) for name in there}
    return {task: subsets for task, subsets in found.items() if subsets}


def _asked(rows: list[_Row], data: SplitData) -> tuple[list[_Row], npt.NDArray[np.int64]]:
    """The rows on images of the split, and these images."""
    image_ids = official.image_ids(data, [row.file for row in rows])
    here = image_ids >= 0
    return [row for row, asked in zip(rows, here, strict=True) if asked], image_ids[here]


def _rows(index: Path | None) -> list[_Row]:
    return [row for place, name in enumerate(SUBSETS) for row in _subset(index, place, name)]


def _file(subset: str) -> str:
    return f"sugar_crepe/{subset}.json"


def _subset(index: Path | None, place: int, name: str) -> Iterator[_Row]:
    path = official.find(index, _file(name), _SOURCE)
    document = documents.read_json(path)
    rows = documents.check_rows(path, "", list(document.values()), _FIELDS)
    for key, file, caption, negative in zip(document, *rows, strict=True):
        if not (key.isascii() and key.isdecimal()):
            raise SemtokError(f"{path}: {key!r}: is no number; the keys number the rows")
        yield _Row(int(key) * _IDS + place, name, file, (caption, negative))
