"""Image-text retrieval: of all captions find one of the image's own; of all images the caption's.

The task of COCO retrieval (Karpathy and Fei-Fei 2015): similarities are dot products of unit
vectors; for an image, the best placed of its captions counts. Where the data set knows every
caption that is true of an image, both are asked a second time with all of these for right answers.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.data.index import CAPTIONS
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.tables import read_table

CLEARS_CHANCE = True
NEEDS_TOKENS = False

#: What is added to the name of a task where every true candidate is a right answer.
ANY_TRUE = "_any_true"

#: Bytes of similarities held at once.
BLOCK = 64 * 2**20

#: Similarities this close are a tie: what remains of equal ones when they are summed in another
#: order. In float64, so that it is far below what two different embeddings can differ by.
TIE = 1e-12


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


def ranks(
    images: torch.Tensor,
    texts: torch.Tensor,
    right: torch.Tensor,
    block: int = BLOCK,
    emit: Emit = ignore,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rank all texts for each image, and all images for each text.

    A rank is the place of the best right candidate. Ties count against the model: every wrong
    candidate as similar as that stands before it, so that a constant model is last everywhere.
    Compared in float64.

    Args:
        images: [I, P] float, unit rows.
        texts: [T, P] float, unit rows, on the same device.
        right: [R, 2] int64, each pair of a text (0..T-1) and an image (0..I-1) that belong
            together, once; each text and each image is in one at least.
        block: bytes of similarities held at once.

    Returns:
        [I] int64 rank of each image's best placed right text, from 1, and [T] int64 the same of
        each text's images; both on the CPU.

    Raises:
        SemtokError: an embedding is not finite, or an image or a text has nothing that is right.
    """
    if not (torch.isfinite(images).all() and torch.isfinite(texts).all()):
        raise SemtokError("retrieval: an embedding is not finite; the model's training diverged")
    right = right[right[:, 0].argsort()].to(images.device)
    for column, rows, fault in (
        (1, images, "an image has no caption; leave it out of the split"),
        (0, texts, "a caption has no image; leave it out of the split"),
    ):
        if not _count(right[:, column], len(rows)).all():
            raise SemtokError(f"retrieval: {fault}")
    best_of_image = torch.full((len(images),), -torch.inf, dtype=torch.float64).to(images.device)
    best_of_text = torch.full((len(texts),), -torch.inf, dtype=torch.float64).to(images.device)
    for each in _blocks(images, texts, right, block):
        best_of_text.scatter_reduce_(0, each.pairs[:, 0], each.of_pairs, "amax")
        best_of_image.scatter_reduce_(0, each.pairs[:, 1], each.of_pairs, "amax")

    # Counted are all candidates as similar as the best right one, less the right ones among them.
    before_image = torch.zeros_like(best_of_image, dtype=torch.int64)
    before_text = torch.zeros_like(best_of_text, dtype=torch.int64)
    least_of_image, least_of_text = best_of_image - TIE, best_of_text - TIE
    for each in _blocks(images, texts, right, block):
        emit(Progress("retrieval", each.start, len(texts)))
        here = slice(each.start, each.start + len(each.similarities))
        before_text[here] = (each.similarities >= least_of_text[here, None]).sum(dim=1)
        before_image += (each.similarities >= least_of_image).sum(dim=0)
        text, image = each.pairs.T
        before_text -= _count(text[each.of_pairs >= least_of_text[text]], len(texts))
        before_image -= _count(image[each.of_pairs >= least_of_image[image]], len(images))
    emit(Progress("retrieval", len(texts), len(texts)))
    return (before_image + 1).cpu(), (before_text + 1).cpu()


class _Block(NamedTuple):
    """Some texts against all images.

    Attributes:
        start: the first text.
        similarities: [b, I] float64.
        pairs: [r, 2] the right pairs of these texts.
        of_pairs: [r] their similarities.
    """

    start: int
    similarities: torch.Tensor
    pairs: torch.Tensor
    of_pairs: torch.Tensor


def _blocks(
    images: torch.Tensor, texts: torch.Tensor, right: torch.Tensor, block: int
) -> Iterator[_Block]:
    """All texts in their order; the right pairs are ordered by text."""
    images = images.double()
    rows = max(1, block // (8 * max(images.shape)))
    owners = right[:, 0].contiguous()
    for start in range(0, len(texts), rows):
        similarities = texts[start : start + rows].double() @ images.T
        first, last = torch.searchsorted(owners, owners.new_tensor([start, start + rows])).tolist()
        pairs = right[first:last]
        yield _Block(start, similarities, pairs, similarities[pairs[:, 0] - start, pairs[:, 1]])


def _count(places: torch.Tensor, length: int) -> torch.Tensor:
    return torch.bincount(places, minlength=length)


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
    return _count(pairs[:, column], length).numpy().astype(np.int32)
