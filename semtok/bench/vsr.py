"""VSR: is a statement of where two things are true of the image?

The benchmark of Liu, Emerson and Collier (2023, arXiv 2205.00363), from its official file
`all_vsr_validated_data.jsonl`: a row an image and a caption, whose label says whether it is true
(1) or false (0). There the models learn to answer; one that was trained to match images and
captions has a similarity instead, so that both ways to score it here are ours:

- `statement`: a caption is called true from a similarity on that is learned from the rows on other
  images (`thresholds.py`). Its recall is the mean over true and false rows; `statement_micro` is
  the share of all rows, which VSR publishes, and `relation` the mean over relations, which are its
  parts. Guessing, and saying always the same: 1 in 2.
- `caption`: of a true caption and the false ones of the same image, which is more similar to it, by
  strict comparison. It needs no threshold, and images with both.

Only rows on images of the split are asked: 26 in 27 are on COCO's train2017.
"""

from collections.abc import Collection, Sequence
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
from semtok.bench.thresholds import halves_of, judged
from semtok.data import documents
from semtok.errors import SemtokError
from semtok.events import Emit, ignore

#: To tell left from right is hard: a sound model may do no better than guess.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

FILE = "vsr/all_vsr_validated_data.jsonl"
_SOURCE = "github.com/cambridgeltl/visual-spatial-reasoning, data/data_files/"
_FIELDS = {"image": str, "caption": str, "label": int, "relation": str}


class _Row(NamedTuple):
    case_id: int
    image: str
    caption: str
    true: bool
    relation: str


class _Task(NamedTuple):
    name: str
    places: list[int]  # of its rows
    groups: list[str] | None = None  # of each of these rows


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case a row, numbered as in the file; of `caption` a case a true row."""
    rows, images = _asked(_rows(data.index), data)
    found = {task.name: task.places for task in _tasks(rows)}
    found |= {"caption": own} if (own := [*_rivals(rows, images)]) else {}
    return {
        name: np.array([rows[place].case_id for place in places], np.int64)
        for name, places in found.items()
    }


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; the rows of an image and its sibling are one cluster."""
    every = _rows(data.index)
    official.tell(data, "vsr", [row.image for row in every], emit)
    rows, images = _asked(every, data)
    nothing = np.zeros(0, np.int32)
    none = images[:0], images[:0], nothing, nothing, nothing, np.zeros((0, 1))
    tables = [matching.cases("statement", *none)]
    if rows:
        captions = [(row.caption,) for row in rows]
        similar = matching.similarities(model, data, images, captions, emit)[:, 0]
        clusters = data.clusters(images)
        halves = halves_of(images, [row.caption for row in rows])
        tables += _statements(rows, clusters, halves, similar, data)
        tables += _captions(rows, clusters, similar, _rivals(rows, images), data)
    return pa.concat_tables(tables)


def row_images(index: Path | None) -> dict[str, list[tuple[str, ...]]]:
    """Official file -> the image of each of its rows."""
    return {FILE: [(row.image,) for row in _rows(index)]}


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What rows ask, for people to look at."""
    every = _rows(index)
    rows = [row for row in every if row.case_id in case_ids]
    false: dict[str, list[str]] = {}
    for row in every:
        if not row.true:
            false.setdefault(row.image, []).append(row.caption)
    found = {}
    for row, image_id in zip(rows, official.images_of(index, [r.image for r in rows]), strict=True):
        wrong = false[row.image] if task == "caption" else [] if row.true else [row.caption]
        right = (row.caption,) if row.true else ()
        found[row.case_id] = Question((image_id,), (right,), tuple(wrong))
    return found


def _statements(
    rows: Sequence[_Row],
    clusters: npt.NDArray[np.int64],
    halves: npt.NDArray[np.int64],
    similar: npt.NDArray[np.float64],
    data: SplitData,
) -> list[pa.Table]:
    """The cases of whether each row is judged rightly."""
    true = np.array([row.true for row in rows])
    probable = blind.log_probabilities(data, [row.caption for row in rows])
    # Two candidates, true and false: of these the one that is not chosen ranks second.
    ranks, unseen = (
        (2 - judged(each, true, halves)).astype(np.int32) for each in (similar, probable)
    )
    return [_cases(task, rows, clusters, ranks, unseen, similar) for task in _tasks(rows)]


def _captions(
    rows: Sequence[_Row],
    clusters: npt.NDArray[np.int64],
    similar: npt.NDArray[np.float64],
    rivals: dict[int, list[int]],
    data: SplitData,
) -> list[pa.Table]:
    """The cases of each true row among the false ones of its image."""
    if not rivals:
        return []
    own = [[place, *others] for place, others in rivals.items()]
    table = np.full((len(own), max(map(len, own))), -np.inf)
    for values, places in zip(table, own, strict=True):
        values[: len(places)] = similar[places]
    found = matching.cases(
        "caption",
        np.array([rows[place].case_id for place in rivals], np.int64),
        clusters[[*rivals]],
        matching.ranks(table),
        np.array([len(places) for places in own], np.int32),
        blind.ranks(data, [[rows[place].caption for place in places] for places in own]),
        table,
    )
    return [found]


def _cases(
    task: _Task,
    rows: Sequence[_Row],
    clusters: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    unseen: npt.NDArray[np.int32],
    similar: npt.NDArray[np.float64],
) -> pa.Table:
    here = np.array(task.places, np.int64)
    ids = np.array([rows[place].case_id for place in task.places], np.int64)
    candidates = np.full(len(here), 2, np.int32)
    return matching.cases(
        task.name,
        ids,
        clusters[here],
        ranks[here],
        candidates,
        unseen[here],
        similar[here, None],
        task.groups,
    )


def _tasks(rows: Sequence[_Row]) -> list[_Task]:
    """What rows are asked one by one."""
    every = [*range(len(rows))]
    relations = [row.relation for row in rows]
    found = [
        _Task("statement", every, [str(row.true) for row in rows]),
        _Task("statement_micro", every),
        _Task("relation", every, relations),
    ]
    for name in sorted(set(relations)):
        places = [place for place in every if relations[place] == name]
        found.append(_Task(f"relation{PART}{name}", places))
    return found if rows else []


def _rivals(rows: Sequence[_Row], images: npt.NDArray[np.int64]) -> dict[int, list[int]]:
    """The place of each true row -> those of the false ones on its image; of rows with some."""
    false: dict[int, list[int]] = {}
    for place, (row, image) in enumerate(zip(rows, images.tolist(), strict=True)):
        if not row.true:
            false.setdefault(image, []).append(place)
    return {
        place: false[image]
        for place, (row, image) in enumerate(zip(rows, images.tolist(), strict=True))
        if row.true and image in false
    }


def _asked(rows: Sequence[_Row], data: SplitData) -> tuple[list[_Row], npt.NDArray[np.int64]]:
    """The rows on images of the split, and these images."""
    ids = official.image_ids(data, [row.image for row in rows])
    here = ids >= 0
    return [row for row, asked in zip(rows, here, strict=True) if asked], ids[here]


def _rows(index: Path | None) -> list[_Row]:
    path = official.find(index, FILE, _SOURCE)
    images, captions, labels, relations = documents.check_rows(
        path, "", official.lines(path), _FIELDS
    )
    for number, label in enumerate(labels):
        if label not in (0, 1):
            raise SemtokError(f"{path}: [{number}].label: {label} is neither 0 nor 1; correct it")
    return [
        _Row(number, image, caption, label == 1, relation)
        for number, (image, caption, label, relation) in enumerate(
            zip(images, captions, labels, relations, strict=True)
        )
    ]
