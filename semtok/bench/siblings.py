"""Siblings: which of two captions of the same words is true of which of two pictures.

Winoground's scores (Thrush et al. 2022) over pairs of images that one exchange tells apart. With s
the similarity of caption and image, and by strict comparison, so that a tie is a miss:

- caption: an image's own caption is more similar to it than its sibling's. Guessing: 1 in 2. Who
  does not look at the images is right for exactly one image of each pair.
- text: both images of the pair have their captions right. Guessing: 1 in 4. Without looking: never.
- image: both captions of the pair have their images right. Guessing: 1 in 4. Without looking:
  never.
- group: text and image, which is to say that the two true combinations of image and caption are
  more similar than the two false ones. Guessing: 1 in 6, the ways to choose two of four.

A case's candidates are the answers that one who guesses chooses from; a miss takes the last place.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import shown_similarities
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import PART
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.bench.ranking import TIE
from semtok.data.index import SIBLINGS
from semtok.events import Emit, ignore
from semtok.tables import read_table

#: To tell a picture from a rearrangement of it is hard: a sound model may do no better than guess.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

#: Task -> number of candidates.
CANDIDATES = {"caption": 2, "text": 4, "image": 4, "group": 6}


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image (caption) and a case a pair (the others); of each kind of swap besides."""
    return {
        task + part: _ids(task, pairs)
        for part, pairs in _parts(data.siblings).items()
        for task in CANDIDATES
        if len(pairs)
    }


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; a pair is one cluster."""
    pairs = data.siblings
    tables = [_cases("caption", "", data, pairs[:0], np.zeros(0, np.bool_), np.zeros((0, 2, 2)))]
    if not len(pairs):
        return tables[0]
    similar = _similarities(model, data, emit)
    right = outcomes(similar)
    for part, chosen in _parts(pairs).items():
        here = pc.is_in(pairs["kind"], chosen["kind"].unique()).to_numpy()
        tables += [
            _cases(task, part, data, chosen, hits[here], similar[here])
            for task, hits in right.items()
        ]
    return pa.concat_tables(tables)


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What pairs, or their images one by one, ask, for people to look at."""
    found = {}
    for pair in read_table(index / "siblings.parquet", SIBLINGS).to_pylist():
        images = pair["first_image_id"], pair["second_image_id"]
        captions = (pair["first_caption"],), (pair["second_caption"],)
        if task == "caption":
            found[images[0]] = Question(images[:1], captions[:1], captions[1])
            found[images[1]] = Question(images[1:], captions[1:], captions[0])
        else:
            found[images[0]] = Question(images, captions)
    return {case_id: each for case_id, each in found.items() if case_id in case_ids}


def outcomes(similarities: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.bool_]]:
    """What is right of each pair.

    Args:
        similarities: [P, 2, 2] of the first and the second caption (rows) to the first and the
            second image (columns).

    Returns:
        Task -> [P] whether the pair is right; of `caption` [P, 2] whether each image is.
    """
    true = similarities[:, (0, 1), (0, 1)]
    right_caption = true > similarities[:, (1, 0), (0, 1)] + TIE
    right_image = true > similarities[:, (0, 1), (1, 0)] + TIE
    return {
        "caption": right_caption,
        "text": np.all(right_caption, axis=1),
        "image": np.all(right_image, axis=1),
        "group": np.all(right_caption & right_image, axis=1),
    }


def _similarities(model: Embedder, data: SplitData, emit: Emit) -> npt.NDArray[np.float64]:
    """[P, 2, 2], as `outcomes` takes them."""
    pairs, image_ids = data.siblings, data.images.image_ids
    captions = [*pairs["first_caption"].to_pylist(), *pairs["second_caption"].to_pylist()]
    texts = model.embed_texts(captions, emit).double().cpu().numpy().reshape(2, len(pairs), -1)
    order = np.argsort(image_ids)
    ends = np.stack([pairs["first_image_id"].to_numpy(), pairs["second_image_id"].to_numpy()])
    places = order[np.searchsorted(image_ids, ends, sorter=order)]
    images = model.embed_images(data.images, emit).double().cpu().numpy()[places]
    return np.asarray(np.einsum("tnp,inp->nti", texts, images), np.float64)


def _parts(pairs: pa.Table) -> dict[str, pa.Table]:
    """All pairs, and those of each kind, by what is added to the name of the task."""
    kinds = sorted(pairs["kind"].unique().to_pylist())
    return {"": pairs} | {
        PART + kind: pairs.filter(pc.equal(pairs["kind"], kind)) for kind in kinds
    }


def _ids(task: str, pairs: pa.Table) -> npt.NDArray[np.int64]:
    """Of a pair the first image, or both where each image is a case."""
    first, second = (pairs[f"{end}_image_id"].to_numpy() for end in ("first", "second"))
    return np.stack([first, second], axis=1).ravel() if task == "caption" else first


def _cases(
    task: str,
    part: str,
    data: SplitData,
    pairs: pa.Table,
    hits: npt.NDArray[np.bool_],
    similar: npt.NDArray[np.float64],
) -> pa.Table:
    ids, ones = _ids(task, pairs), np.ones(hits.size, np.int32)
    shown = similar.swapaxes(1, 2)  # of each image
    if task == "caption":
        # Each image alone, with its own caption first.
        shown = np.stack([shown[:, 0], shown[:, 1, ::-1]], axis=1).reshape(-1, 2)
    return pa.table(
        {
            "task": pa.repeat(task + part, hits.size),
            "case_id": ids,
            "cluster_id": data.clusters(ids),
            "rank": np.where(hits.ravel(), ones, CANDIDATES[task] * ones),
            "candidates": CANDIDATES[task] * ones,
            "answers": ones,
            "truths": ones,
            "similarities": shown_similarities.column(task + part, shown),
        }
    )
