"""The losses of an image-text model: contrastive, or over all classes."""

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE: each image picks its caption among the batch's, each caption its image.

    The mean of the two cross entropies of `scale * images @ texts.T` (CLIP, arXiv 2103.00020).

    Args:
        images: [B, P], unit length.
        texts: [B, P], unit length; row i belongs to image i, and to no other.
        scale: 0-d, the factor on cosine similarities.

    Returns:
        0-d, in nats; log B where the embeddings say nothing.
    """
    logits = scale * images @ texts.T
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def over_classes(images: Tensor, classes: Tensor, own: Tensor, scale: Tensor) -> Tensor:
    """Cross entropy of `scale * images @ classes.T`: each image picks its class among all.

    Within a batch, as `info_nce` has it, images of one class would be each other's negatives.

    Args:
        images: [B, P], unit length.
        classes: [C, P], unit length.
        own: [B] int64, each image's class, 0..C-1.
        scale: 0-d, the factor on cosine similarities.

    Returns:
        0-d, in nats; log C where the embeddings say nothing.
    """
    return F.cross_entropy(scale * images @ classes.T, own)


def part_of_info_nce(
    images: Tensor, texts: Tensor, all_images: Tensor, all_texts: Tensor, first: int, scale: Tensor
) -> Tensor:
    """What some rows of a batch have in its `info_nce`: the mean over equal parts is all of it.

    Args:
        images: [B, P], unit length.
        texts: [B, P], of the same rows.
        all_images: [N, P], those of the whole batch.
        all_texts: [N, P], likewise.
        first: the place of the first of the B rows among the N.
        scale: as of `info_nce`.

    Returns:
        0-d, in nats.
    """
    target = torch.arange(first, first + len(images), device=images.device)
    of_images = F.cross_entropy(scale * images @ all_texts.T, target)
    of_texts = F.cross_entropy(scale * texts @ all_images.T, target)
    return (of_images + of_texts) / 2
