"""The contrastive loss."""

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
