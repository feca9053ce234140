"""Image-text retrieval: of all captions find one of the image's own; of all images the caption's.

The task of COCO retrieval (Karpathy and Fei-Fei 2015): similarities are dot products of unit
vectors; for an image, the best placed of its captions counts.
"""

import numpy as np
import pyarrow as pa
import torch

from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Model
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore

TASKS = ("image_to_text", "text_to_image")

#: Bytes of similarities held at once.
BLOCK = 64 * 2**20

#: Similarities this close are a tie: what remains of equal ones when they are summed in another
#: order. In float64, so that it is far below what two different embeddings can differ by.
TIE = 1e-12


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split: a case an image and a case a caption, clustered by image."""
    images = model.embed_images(data.images, emit)
    texts = model.embed_texts(data.captions["caption"].to_pylist(), emit)
    image_ids, owners = data.images.image_ids, data.captions["image_id"].to_numpy()
    order = np.argsort(image_ids)
    place = order[np.searchsorted(image_ids, owners, sorter=order)]
    of_images, of_texts = ranks(images, texts, torch.from_numpy(place), emit=emit)
    caption_ids = data.captions["caption_id"]
    return pa.concat_tables(
        [
            _cases("image_to_text", image_ids, image_ids, of_images, len(texts)),
            _cases("text_to_image", caption_ids, owners, of_texts, len(images)),
        ]
    )


def ranks(
    images: torch.Tensor,
    texts: torch.Tensor,
    image_of_text: torch.Tensor,
    block: int = BLOCK,
    emit: Emit = ignore,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rank all texts for each image, and all images for each text.

    Ties count against the model: every wrong candidate as similar as the right one stands before
    it, so that a constant model is last everywhere. Compared in float64.

    Args:
        images: [I, P] float, unit rows.
        texts: [T, P] float, unit rows, on the same device.
        image_of_text: [T] int64, the image (0..I-1) that each text belongs to; each image has one
            at least.
        block: bytes of similarities held at once.

    Returns:
        [I] int64 rank of each image's best placed text, 1..T, and [T] int64 rank of each text's
        image, 1..I; both on the CPU.

    Raises:
        SemtokError: an embedding is not finite, or an image has no text.
    """
    if not (torch.isfinite(images).all() and torch.isfinite(texts).all()):
        raise SemtokError("retrieval: an embedding is not finite; the model's training diverged")
    images, image_of_text = images.double(), image_of_text.to(images.device)
    rows = max(1, block // (8 * max(images.shape)))
    starts = range(0, len(texts), rows)

    right = torch.cat(
        [
            (images[image_of_text[start : start + rows]] * texts[start : start + rows]).sum(dim=1)
            for start in starts
        ]
    )
    best = right.new_full((len(images),), -torch.inf)
    best = best.scatter_reduce(0, image_of_text, right, "amax")
    if torch.isinf(best).any():
        raise SemtokError("retrieval: an image has no caption; leave it out of the split")

    before_image = torch.zeros_like(best, dtype=torch.int64)
    of_texts = []
    for start in starts:
        emit(Progress("retrieval", start, len(texts)))
        here = slice(start, start + rows)
        similarities = texts[here].double() @ images.T
        of_texts.append((similarities >= right[here, None] - TIE).sum(dim=1))
        before_image += (similarities >= best - TIE).sum(dim=0)
    emit(Progress("retrieval", len(texts), len(texts)))
    # Among its own texts an image has no order: the best one stands right behind the wrong ones.
    own = right >= best[image_of_text] - TIE
    before_image -= torch.bincount(image_of_text[own], minlength=len(images))
    return (before_image + 1).cpu(), torch.cat(of_texts).cpu()


def _cases(
    task: str, case_ids: object, cluster_ids: object, found: torch.Tensor, candidates: int
) -> pa.Table:
    return pa.table(
        {
            "task": pa.repeat(task, len(found)),
            "case_id": case_ids,
            "cluster_id": cluster_ids,
            "rank": found.to(torch.int32).numpy(),
            "candidates": pa.repeat(pa.scalar(candidates, pa.int32()), len(found)),
        }
    )
