"""Winoground: two images and two captions of the same words, and which caption is whose.

The benchmark of Thrush et al. 2022, from its official file `examples.jsonl`; its text, image and
group scores, by strict comparison, are those of `siblings.py`. Argmax implementations count some
ties as right; here a tie is a miss. The parts are the collapsed tags and the tags.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from semtok.bench import matching, official
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import PART
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.bench.siblings import CANDIDATES, outcomes
from semtok.data import documents
from semtok.events import Emit, ignore

#: To tell a picture from a rearrangement of it is hard: a sound model may do no better than guess.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

TASKS = ("text", "image", "group")
FILE = "winoground/examples.jsonl"
_SOURCE = "huggingface.co/datasets/facebook/winoground"
_FIELDS = {
    "id": int,
    **dict.fromkeys(("image_0", "image_1", "caption_0", "caption_1"), str),
    **dict.fromkeys(("tag", "collapsed_tag"), str),
}


class _Row(NamedTuple):
    case_id: int
    images: tuple[str, str]
    captions: tuple[str, str]
    tags: frozenset[str]


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case a row, and in the parts that its tags name."""
    rows, _ = _asked(_rows(data.index), data)
    ids = np.array([row.case_id for row in rows], np.int64)
    return {task + part: ids[here] for part, here in _parts(rows).items() for task in TASKS}


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; a case's cluster is that of its first image."""
    every = _rows(data.index)
    rows, images = _asked(every, data)
    official.tell(data, "winoground", _deciding(every, data), emit)
    tables = [_cases("text", rows[:0], images[:0, 0], np.zeros(0, np.bool_), np.zeros((0, 2, 2)))]
    if rows:
        captions = [row.captions for row in rows]
        found = [matching.similarities(model, data, ids, captions, emit) for ids in images.T]
        of_images = np.stack(found, axis=1)
        right = outcomes(of_images.swapaxes(1, 2))
        clusters = data.clusters(images[:, 0])
        for part, here in _parts(rows).items():
            chosen = [rows[place] for place in np.flatnonzero(here)]
            for task in TASKS:
                own = clusters[here], right[task][here], of_images[here]
                tables.append(_cases(task + part, chosen, *own))
    return pa.concat_tables(tables)


def row_images(index: Path | None) -> dict[str, list[tuple[str, ...]]]:
    """Official file -> the two images of each of its rows."""
    return {FILE: [row.images for row in _rows(index)]}


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What rows ask, for people to look at."""
    rows = [row for row in _rows(index) if row.case_id in case_ids]
    images = (official.images_of(index, names) for names in _names(rows))
    return {
        row.case_id: Question(pair, (row.captions[:1], row.captions[1:]))
        for row, pair in zip(rows, zip(*images, strict=True), strict=True)
    }


def _cases(
    task: str,
    rows: Sequence[_Row],
    clusters: npt.NDArray[np.int64],
    right: npt.NDArray[np.bool_],
    of_images: npt.NDArray[np.float64],
) -> pa.Table:
    candidates = np.full(len(rows), CANDIDATES[task.partition(PART)[0]], np.int32)
    ranks = np.where(right, np.int32(1), candidates)
    ids = np.array([row.case_id for row in rows], np.int64)
    # Who reads the captions alone prefers the same one, or the same image, both times.
    return matching.cases(task, ids, clusters, ranks, candidates, candidates, of_images)


def _parts(rows: Sequence[_Row]) -> dict[str, npt.NDArray[np.bool_]]:
    """What is added to the name of a task -> which of the rows are asked."""
    tags = sorted({tag for row in rows for tag in row.tags})
    parts = {PART + tag: np.array([tag in row.tags for row in rows]) for tag in tags}
    return {"": np.ones(len(rows), np.bool_)} | parts if rows else {}


def _asked(rows: Sequence[_Row], data: SplitData) -> tuple[list[_Row], npt.NDArray[np.int64]]:
    """The rows of which both images are of the split, and these images, [N, 2]."""
    ids = np.stack([official.image_ids(data, names) for names in _names(rows)], axis=1)
    here = np.flatnonzero((ids >= 0).all(axis=1))
    return [rows[place] for place in here.tolist()], ids[here]


def _deciding(rows: Sequence[_Row], data: SplitData) -> list[str]:
    """Of each row the image that decides whether it is asked: one of another split, if any."""
    first, second = _names(rows)
    here = official.image_ids(data, first) >= 0
    return [b if asked else a for a, b, asked in zip(first, second, here, strict=True)]


def _names(rows: Sequence[_Row]) -> tuple[list[str], list[str]]:
    return [row.images[0] for row in rows], [row.images[1] for row in rows]


def _rows(index: Path | None) -> list[_Row]:
    path = official.find(index, FILE, _SOURCE)
    ids, *texts = documents.check_rows(path, "", official.lines(path), _FIELDS)
    return [
        _Row(number, (image_0, image_1), (caption_0, caption_1), frozenset((tag, collapsed)))
        for number, image_0, image_1, caption_0, caption_1, tag, collapsed in zip(
            ids, *texts, strict=True
        )
    ]
