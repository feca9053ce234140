"""Image-text retrieval: of all captions find one of the image's own; of all images the caption's.

The task of COCO retrieval (Karpathy and Fei-Fei 2015): similarities are dot products of unit
vectors; for an image, the best placed of its captions counts. Where the data set knows every
caption that is true of an image, both are asked a second time with all of these for right answers.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.bench.ranking import ranks
from semtok.data.index import CAPTIONS
from semtok.events import Emit, ignore
from semtok.tables import read_table

CLEARS_CHANCE = True
NEEDS_TOKENS = False
NEEDS_SENTENCES = True

#: What is added to the name of a task where every true candidate is a right answer.
ANY_TRUE = "_any_true"


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image and a case a caption, by task; any true candidate where truth is known."""
    image_ids, caption_ids = data.images.image_ids, data.captions["caption_id"].to_numpy()
    return {
        name + way: ids
        for way in ways(data)
        for name, ids in (("image_to_text", image_ids), ("text_to_image", caption_ids))
    }


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split: a case an image and a case a caption, clustered by siblings."""
    images = model.embed_images(data.images, emit)
    texts = model.embed_texts(data.captions["caption"].to_pylist(), emit)
    return pa.concat_tables(of_way(data, way, images, texts, emit) for way in ways(data))


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What cases ask, for people to look at: an image with its own captions, or a caption."""
    of_images = task.startswith("image_to_text")
    captions = read_table(index / "captions.parquet", CAPTIONS).sort_by("caption_id")
    key = "image_id" if of_images else "caption_id"
    asked = captions.filter(pc.is_in(captions[key], pa.array(sorted(case_ids), pa.int64())))
    texts: dict[int, list[str]] = {}
    image_of = {}
    for row in asked.to_pylist():
        texts.setdefault(row[key], []).append(row["caption"])
        image_of[row[key]] = row["image_id"]
    return {each: Question((image_of[each],), (tuple(own),)) for each, own in texts.items()}


def ways(data: SplitData) -> tuple[str, ...]:
    """What right answers are, as the ends of tasks' names: one's own, and any that is true."""
    return ("",) if data.truth is None else ("", ANY_TRUE)


def of_way(
    data: SplitData, way: str, images: torch.Tensor, texts: torch.Tensor, emit: Emit = ignore
) -> pa.Table:
    """The cases of both directions.

    Args:
        data: a split.
        way: of `ways`.
        images: [I, P] float, unit rows, in the order of `data.images`.
        texts: [T, P] float, unit rows, in the order of `data.captions`.
        emit: told of progress.
    """
    true = None if data.truth is None else _pairs(data, data.truth)
    right = true if way and true is not None else _pairs(data, data.captions)
    return pa.concat_tables(_cases(data, way, right, true, ranks(images, texts, right, emit=emit)))


def _pairs(data: SplitData, table: pa.Table) -> torch.Tensor:
    """[R, 2] places of captions and images, from the columns caption_id and image_id."""
    image_ids, caption_ids = data.images.image_ids, data.captions["caption_id"].to_numpy()
    order = np.argsort(image_ids)  # captions are ordered by id, images as their shards are
    texts = np.searchsorted(caption_ids, table["caption_id"].to_numpy())
    images = order[np.searchsorted(image_ids, table["image_id"].to_numpy(), sorter=order)]
    return torch.from_numpy(np.stack([texts, images], axis=1))


def _cases(
    data: SplitData,
    way: str,
    right: torch.Tensor,
    true: torch.Tensor | None,
    found: tuple[torch.Tensor, torch.Tensor],
) -> list[pa.Table]:
    """The cases of both directions, of the ranks that `ranks` found."""
    captions = data.captions
    image_ids, owners = data.images.image_ids, captions["image_id"].to_numpy()
    counts = {1: len(image_ids), 0: len(captions)}
    return [
        pa.table(
            {
                "task": pa.repeat(task + way, counts[column]),
                "case_id": ids,
                "cluster_id": data.clusters(clustered),
                "rank": of_cases.to(torch.int32).numpy(),
                "candidates": np.full(counts[column], counts[1 - column], np.int32),
                "answers": _per_case(right, column, counts[column]),
                "truths": pa.nulls(counts[column], pa.int32())
                if true is None
                else _per_case(true, column, counts[column]),
            }
        )
        for task, column, ids, clustered, of_cases in (
            ("image_to_text", 1, image_ids, image_ids, found[0]),
            ("text_to_image", 0, captions["caption_id"], owners, found[1]),
        )
    ]


def _per_case(pairs: torch.Tensor, column: int, length: int) -> npt.NDArray[np.int32]:
    """How many pairs each text (column 0) or image (column 1) is in."""
    return torch.bincount(pairs[:, column], minlength=length).numpy().astype(np.int32)
