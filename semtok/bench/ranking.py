"""Ranks of right answers among all candidates, exact at the price of one product in float32.

A product in float32 says of nearly every candidate on which side of the best right answer it
stands, since its rounding is bounded (Higham 2002, section 3.1). The few that are nearer than the
bound, and the right answers themselves, are compared in float64; where PyTorch may round factors
of products to fewer bits than float32 has (TF32, bfloat16), all are.
"""

import math

import torch

from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore

#: Bytes of similarities held at once, in float64: few enough that comparing them reads a cache.
BLOCK = 8 * 2**20

#: Similarities this close are a tie: what remains of equal ones when they are summed in another
#: order. In float64, so that it is far below what two different embeddings can differ by.
TIE = 1e-12

#: A block of similarities is computed in float64 as a whole where more than one in so many is too
#: near to its bound: one by one, each takes about so many times its part of a product of matrices.
_ONE_IN = 64

#: Numbers that are multiplied one by one at once: few enough for a core's cache.
_AT_ONCE = 2**17


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
    As compared in float64, whatever of it is computed in float32.

    Args:
        images: [I, P] float, unit rows.
        texts: [T, P] float, unit rows, on the same device.
        right: [R, 2] int64, each pair of a text (0..T-1) and an image (0..I-1) that belong
            together, once; each text and each image is in one at least.
        block: bytes of similarities held at once.
        emit: told of progress.

    Returns:
        [I] int64 rank of each image's best placed right text, from 1, and [T] int64 the same of
        each text's images; both on the CPU.

    Raises:
        SemtokError: an embedding is not finite, or an image or a text has nothing that is right.
    """
    lengths = [torch.linalg.vector_norm(side, dim=1).max() for side in (images, texts)]
    if not all(map(torch.isfinite, lengths)):  # false where any number is not
        raise SemtokError("retrieval: an embedding is not finite; the model's training diverged")
    right = right[right[:, 0].argsort()].to(images.device)
    for column, sides, fault in (
        (1, images, "an image has no caption; leave it out of the split"),
        (0, texts, "a caption has no image; leave it out of the split"),
    ):
        if not torch.bincount(right[:, column], minlength=len(sides)).all():
            raise SemtokError(f"retrieval: {fault}")
    of_right = _similarities(texts, images, right)
    least_of_text, least_of_image = (
        of_right.new_full((len(side),), -torch.inf).scatter_reduce(0, owners, of_right, "amax")
        - TIE
        for side, owners in ((texts, right[:, 0]), (images, right[:, 1]))
    )
    before_image, before_text = (
        torch.zeros(len(side), dtype=torch.int64, device=side.device) for side in (images, texts)
    )
    margin = _margin(images.shape[1], *map(float, lengths)) if _is_bounded() else None
    single = images.float()
    rows, owners = max(1, block // (8 * max(images.shape))), right[:, 0].contiguous()
    for start in range(0, len(texts), rows):
        emit(Progress("retrieval", start, len(texts)))
        here = slice(start, start + rows)
        first, last = torch.searchsorted(owners, owners.new_tensor([start, start + rows])).tolist()
        text, image = right[first:last].T
        found = _Block(texts[here], images, single, margin)
        for least, before, dim in (
            (least_of_text[here, None], before_text[here], 1),
            (least_of_image, before_image, 0),
        ):
            stands = found.at_least(least)
            stands[text - start, image] = False  # what is right does not stand before itself
            before += stands.sum(dim, dtype=torch.int32)
    emit(Progress("retrieval", len(texts), len(texts)))
    return (before_image + 1).cpu(), (before_text + 1).cpu()


def _is_bounded() -> bool:
    """Whether products in float32 keep all bits of their factors, so that `_margin` holds."""
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:
        # It tells nothing once the newer switches are used, which may allow TF32 of one device.
        return False


def _margin(width: int, *lengths: float) -> float:
    """By how much a similarity in float32 may be off, by bounds too, which are rounded as well.

    With u = 2^-24, a sum of P products in any order is off by at most P u / (1 - P u) times the two
    vectors' lengths, and by a few u more where factors and bounds were rounded before.

    Args:
        width: P.
        lengths: of the longest vector of either side.
    """
    return 1.01 * 2**-24 * (width + 8) * math.prod(lengths)


class _Block:
    """The similarities of some texts and all images, as compared in float64."""

    def __init__(
        self,
        texts: torch.Tensor,
        images: torch.Tensor,
        single: torch.Tensor,
        margin: float | None,
    ) -> None:
        """Multiply them in float32, where that tells something.

        Args:
            texts: [t, P].
            images: [I, P].
            single: the same in float32.
            margin: as `_margin`; None: factors may be rounded, so that nothing is known of it.
        """
        self._texts, self._images, self._margin = texts, images, margin
        self._found = None if margin is None else texts.float() @ single.T
        self._exact: torch.Tensor | None = None

    def at_least(self, least: torch.Tensor) -> torch.Tensor:
        """[t, I] bool whether each text and image are so similar at least.

        Args:
            least: [t, 1] or [I] float64.
        """
        if self._found is not None and self._margin is not None:
            reaches = self._found > (least + self._margin).float()
            near = (self._found > (least - self._margin).float()) ^ reaches
            # Counted first: the places of all would take more than the similarities do.
            if int(near.count_nonzero()) * _ONE_IN <= near.numel():
                return self._told_apart(reaches, near, least)
            self._found = None  # vectors so alike are so from the other side, too
        if self._exact is None:
            self._exact = self._texts.double() @ self._images.double().T
        return self._exact >= least

    def _told_apart(
        self, reaches: torch.Tensor, near: torch.Tensor, least: torch.Tensor
    ) -> torch.Tensor:
        """The same, where few are too near to their bound."""
        pairs = near.nonzero()
        text, image = pairs.T
        wanted = least.expand_as(near)[text, image]
        reaches[text, image] = _similarities(self._texts, self._images, pairs) >= wanted
        return reaches


def _similarities(texts: torch.Tensor, images: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """[n] float64 similarities of pairs [n, 2] of a text and an image."""
    some = max(1, _AT_ONCE // images.shape[1])
    found = [
        texts[text].double().mul_(images[image]).sum(dim=1)
        for text, image in zip(*(each.split(some) for each in pairs.T), strict=True)
    ]
    return torch.cat(found)
