"""ARO: attribution, relation and order (Yuksekgonul et al. 2023), by strict comparison.

Of a true caption and false ones, which is more similar to the image; a tie is a miss. From the
official files, of which the data set may have some:

- `visual_genome_relation.json`: who does it to whom. `relation` is the published macro average
  over relations, some of which it leaves out (`aro_relations.py`); its parts are these relations.
  `relation_micro` is the mean over all rows.
- `visual_genome_attribution.json`: which of two attributes is whose. `attribution` is the published
  macro average over pairs of attributes with 25 cases or more; `attribution_micro` that over all.
- `coco_order.json`: a caption among its own words in other orders (`perturbations.py`), for each
  caption of a list `{"image", "caption": [...], "tags": [[...], ...]}`: Karpathy's as BLIP and ARO
  have it, and the part of speech of each word. Called `order`.
- `flickr30k_order.json`: the same of Flickr30k's captions, and called so.

Upstream crops an image to the row's box. Here a model is scored on the tokens of whole images, so
the box must be the whole image: crops are images of their own (docs/benchmarks.md).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from semtok.bench import blind, matching, official
from semtok.bench.aro_relations import LEFT_OUT
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import PART
from semtok.bench.embedding import Embedder
from semtok.bench.perturbations import perturbed
from semtok.bench.question import Question
from semtok.data import documents
from semtok.data.words import words_of
from semtok.errors import SemtokError
from semtok.events import Emit, ignore

#: To tell who does it to whom is hard: a sound model may do no better than guess.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

#: Words of a caption that are put into other orders.
LONGEST = 30

#: Cases that a pair of attributes needs to count in the macro average.
FREQUENT = 25

RELATION, ATTRIBUTION = "visual_genome_relation", "visual_genome_attribution"
#: Files of captions -> their tasks.
ORDERS = {"coco_order": "order", "flickr30k_order": "flickr30k_order"}
_FILE_OF = {
    "relation": RELATION,
    "attribution": ATTRIBUTION,
    **{task: file for file, task in ORDERS.items()},
}
_MICRO = "_micro"
_SOURCE = "github.com/mertyg/vision-language-models-are-bows"
_BOX = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")
_PAIR: documents.Fields = {
    **{"image_path": str, "true_caption": str, "false_caption": str},
    **dict.fromkeys(_BOX, (int, float)),
}
_FIELDS: Mapping[str, documents.Fields] = {
    RELATION: {**_PAIR, "relation_name": str},
    ATTRIBUTION: {**_PAIR, "attributes": list},
    **{file: {"image": str, "caption": list, "tags": list} for file in ORDERS},
}


class _Row(NamedTuple):
    """A case: of its captions the first is true; `group` is a relation or a pair of attributes."""

    case_id: int
    image: str
    captions: tuple[str, ...]
    group: str = ""
    box: tuple[float, ...] = ()  # x, y, width and height in pixels, where the file has one


class _Task(NamedTuple):
    name: str
    places: list[int]  # of its rows
    grouped: bool = False


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case a row of a file, or a caption of one of `ORDERS`, in each of its tasks."""
    found = {}
    for file, path in _files(data.index).items():
        rows, _ = _asked(_rows(file, path), path, data)
        for task in _tasks(file, rows):
            found[task.name] = np.array([rows[n].case_id for n in task.places], np.int64)
    return found


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split, clustered by image and its sibling."""
    nothing = np.zeros(0, np.int64)
    tables = [_cases(_Task("relation", []), [], nothing, nothing, nothing, np.zeros((0, 2)))]
    for file, path in _files(data.index).items():
        every = _rows(file, path)
        official.tell(data, f"aro/{file}", [row.image for row in every], emit)
        rows, images = _asked(every, path, data)
        if rows:
            captions = [row.captions for row in rows]
            similar = matching.similarities(model, data, images, captions, emit)
            ranks, clusters = matching.ranks(similar), data.clusters(images)
            unseen = blind.ranks(data, captions)
            for task in _tasks(file, rows):
                tables.append(_cases(task, rows, clusters, ranks, unseen, similar))
    return pa.concat_tables(tables)


def row_images(index: Path | None) -> dict[str, list[tuple[str, ...]]]:
    """Official file -> the image of each of its rows."""
    files = _files(index).items()
    return {f"aro/{file}.json": [(each,) for each in _table(file, path)[0]] for file, path in files}


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What rows ask, for people to look at."""
    file = _FILE_OF[task.removesuffix(_MICRO)]
    rows = [row for row in _rows(file, _files(index)[file]) if row.case_id in case_ids]
    images = official.images_of(index, [row.image for row in rows])
    return {
        row.case_id: Question((image_id,), (row.captions[:1],), row.captions[1:])
        for row, image_id in zip(rows, images, strict=True)
    }


def _cases(
    task: _Task,
    rows: Sequence[_Row],
    clusters: npt.NDArray[np.int64],
    ranks: npt.NDArray[Any],
    unseen: npt.NDArray[Any],
    similar: npt.NDArray[np.float64],
) -> pa.Table:
    chosen = [rows[place] for place in task.places]
    here = np.array(task.places, np.int64)
    return matching.cases(
        task.name,
        np.array([row.case_id for row in chosen], np.int64),
        clusters[here],
        ranks[here].astype(np.int32),
        np.array([len(row.captions) for row in chosen], np.int32),
        unseen[here].astype(np.int32),
        similar[here],
        [row.group for row in chosen] if task.grouped else None,
        others_are_false=task.name not in ORDERS.values(),
    )


def _tasks(file: str, rows: Sequence[_Row]) -> list[_Task]:
    """What a file's rows are asked for; tasks without rows are left out."""
    all_of_them = list(range(len(rows)))
    counts = Counter(row.group for row in rows)
    if file in ORDERS:
        found = [_Task(ORDERS[file], all_of_them)]
    elif file == ATTRIBUTION:
        frequent = [n for n in all_of_them if counts[rows[n].group] >= FREQUENT]
        found = [
            _Task("attribution", frequent, grouped=True),
            _Task("attribution_micro", all_of_them),
        ]
    else:
        kept = [n for n in all_of_them if rows[n].group not in LEFT_OUT]
        found = [_Task("relation", kept, grouped=True), _Task("relation_micro", all_of_them)]
        for relation in sorted({rows[n].group for n in kept}):
            places = [n for n in kept if rows[n].group == relation]
            found.append(_Task(f"relation{PART}{relation}", places))
    return [task for task in found if task.places]


def _files(index: Path | None) -> dict[str, Path]:
    """The files that the data set has: one at least."""
    there = [file for file in _FIELDS if official.has(index, f"aro/{file}.json")]
    return {file: official.find(index, f"aro/{file}.json", _SOURCE) for file in there or _FIELDS}


def _asked(
    rows: Sequence[_Row], path: Path, data: SplitData
) -> tuple[list[_Row], npt.NDArray[np.int64]]:
    """The rows on images of the split, and these images."""
    ids = official.image_ids(data, [row.image for row in rows])
    here = np.flatnonzero(ids >= 0)
    asked = [rows[place] for place in here.tolist()]
    boxed = [row for row in asked if row.box]
    whole = official.whole_images(data, [row.image for row in boxed], [row.box for row in boxed])
    for row, is_whole in zip(boxed, whole, strict=True):
        if not is_whole:
            raise SemtokError(
                f"{path}: [{row.case_id}].bbox: is a part of {row.image}, and models are scored on "
                "whole images; cut the boxes out first, as docs/benchmarks.md says"
            )
    return asked, ids[here]


def _rows(file: str, path: Path) -> Sequence[_Row]:
    return _read(file, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=len(_FIELDS))
def _read(file: str, path: Path, written: int) -> Sequence[_Row]:
    """The rows of a file, the same for all seeds and splits.

    Args:
        written: when, so that one that was written anew is read anew.
    """
    table = _table(file, path)
    if file in ORDERS:
        return list(_order(path, *table))
    images, true, false, x, y, width, height, named = table
    groups = named if file == RELATION else ["_".join(map(str, pair)) for pair in named]
    return [
        _Row(number, image, (yes, no), group, tuple(box))
        for number, (image, yes, no, group, *box) in enumerate(
            zip(images, true, false, groups, x, y, width, height, strict=True)
        )
    ]


def _table(file: str, path: Path) -> list[list[Any]]:
    """The columns of a file; the first one are the images."""
    return documents.check_rows(path, "", documents.read_json(path, list), _FIELDS[file])


def _order(
    path: Path, images: list[str], captions: list[list[Any]], tags: list[list[Any]]
) -> Iterator[_Row]:
    """A row a caption that some other order of its words changes."""
    number = -1
    for place, (image, of_image, of_captions) in enumerate(
        zip(images, captions, tags, strict=True)
    ):
        for caption, speech in zip_longest(of_image, of_captions, fillvalue=""):
            number += 1
            words = words_of(caption)
            if len(speech) != len(words):
                raise SemtokError(
                    f"{path}: [{place}].tags: {caption[:40]!r} has {len(words)} words; "
                    "give the part of speech of each"
                )
            words, speech = words[:LONGEST], speech[:LONGEST]
            if others := perturbed(words, speech, [number]):
                yield _Row(number, image, (" ".join(words), *others))
