"""Matching: which of a few captions is most similar to an image, by strict comparison.

A tie is a miss, as everywhere: an answer that argmax happens to find first was not known.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from semtok.bench import shown_similarities
from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Embedder
from semtok.bench.ranking import TIE
from semtok.events import Emit, ignore


def similarities(
    model: Embedder,
    data: SplitData,
    image_ids: npt.NDArray[np.int64],
    captions: Sequence[Sequence[str]],
    emit: Emit = ignore,
) -> npt.NDArray[np.float64]:
    """How similar each image is to captions of its own.

    Args:
        image_ids: [N], of the split.
        captions: N times up to K.

    Returns:
        [N, K], -inf where there are fewer captions.
    """
    # Benchmarks repeat captions, and to embed one takes as long each time.
    distinct = dict.fromkeys(text for own in captions for text in own)
    place = {text: number for number, text in enumerate(distinct)}
    texts = model.embed_texts(list(place), emit).double().cpu().numpy()
    images = model.embed_images(data.images, emit).double().cpu().numpy()
    order = np.argsort(data.images.image_ids)
    places = order[np.searchsorted(data.images.image_ids, image_ids, sorter=order)]
    found = np.full((len(captions), max(map(len, captions))), -np.inf)
    for row, (image, own) in enumerate(zip(images[places], captions, strict=True)):
        found[row, : len(own)] = texts[[place[text] for text in own]] @ image
    return found


def ranks(similarities: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """The place of the first caption of each row, from 1; what is as similar stands before it.

    Args:
        similarities: [N, K].
    """
    first, others = similarities[:, :1], similarities[:, 1:]
    before = (others >= first - TIE).sum(axis=1)
    return np.asarray(1 + before, np.int32)


def cases(
    task: str,
    case_ids: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    candidates: npt.NDArray[np.int32],
    blind: npt.NDArray[np.int32],
    similar: npt.NDArray[np.float64],
    groups: Sequence[str] | None = None,
    *,
    others_are_false: bool = True,
) -> pa.Table:
    """Cases with one right answer, as `Benchmark.score` returns them.

    Args:
        case_ids: [N], as all arrays.
        blind: the ranks by the words alone.
        similar: [N, C] or [N, I, C], as `shown_similarities.column` takes them.
        groups: N names, where the task's recalls are means over groups.
        others_are_false: whether somebody made sure that the other candidates are false.
    """
    ones = np.ones(len(case_ids), np.int32)
    return pa.table(
        {
            "task": pa.repeat(task, len(case_ids)),
            "case_id": case_ids,
            "cluster_id": clusters,
            "rank": ranks,
            "candidates": candidates,
            "answers": ones,
            "truths": ones if others_are_false else pa.nulls(len(case_ids), pa.int32()),
            "group": pa.nulls(len(case_ids), pa.string())
            if groups is None
            else pa.array(groups, pa.string()),
            "blind": blind,
            "similarities": shown_similarities.column(task, similar),
        }
    )
