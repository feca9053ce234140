"""How a model does on the validation split while it trains: a curve to watch, not a score."""

from statistics import fmean

import torch
from torch import Tensor

from semtok.models.class_table import ClassTable
from semtok.models.image_text import ImageTextModel
from semtok.tokens.batch import INTANGIBLE
from semtok.train.batches import Data
from semtok.train.objective import image_text_loss
from semtok.train.precision import mixed_precision

#: Enough for a curve and for means; the scores stage ranks all of them.
_IMAGES = 1000
_BATCH = 100


def validate(model: ImageTextModel, data: Data, batch_size: int) -> dict[str, float]:
    """Loss and recall on the first validation images with one caption each.

    Args:
        model: on any device.
        data: the validation split.
        batch_size: as in training, since the loss depends on it.

    Returns:
        val/loss in nats; R@1 both ways, val/image_to_text_r1 and val/text_to_image_r1, or of a
        classifier val/accuracy, in 0..1.
    """
    device = model.log_scale.device
    images, texts, classes, losses = [], [], [], []
    model.eval()
    with torch.inference_mode(), mixed_precision(device):
        for batch in data.in_order(batch_size, _IMAGES):
            images.append(model.encode_image(batch.tokens.to(device)).float())
            ids = batch.ids.to(device)
            texts.append(model.encode_text(ids).float())
            classes.append(ids[:, 0])
            # A smaller last batch is an easier one.
            if len(images[-1]) == len(images[0]):
                losses.append(image_text_loss(model, images[-1], texts[-1], ids))
        values = {"val/loss": torch.stack(losses).mean()}
        if isinstance(model.text, ClassTable):
            chosen = (torch.cat(images) @ model.text.vectors.float().T).argmax(dim=1)
            values["val/accuracy"] = (chosen == torch.cat(classes)).float().mean()
        else:
            similarity = torch.cat(images) @ torch.cat(texts).T
            values["val/image_to_text_r1"] = _recall_at_1(similarity)
            values["val/text_to_image_r1"] = _recall_at_1(similarity.T)
    model.train()
    return {name: float(value) for name, value in values.items()}


def size(model: ImageTextModel, data: Data) -> dict[str, float]:
    """What the visual token encoder has to do for an image, by the first images of a split.

    Returns:
        tokens_per_image ([CLS] not counted) and flops_per_image (of a forward pass), as means.
    """
    tokens, flops = [], []
    for batch in data.in_order(_BATCH, _IMAGES):
        valid = batch.tokens.valid
        counts = valid.sum(1).tolist()
        intangible = (valid & (batch.tokens.kind == INTANGIBLE)).sum(1).tolist()
        tokens += counts
        flops += [model.vision.flops(*each) for each in zip(counts, intangible, strict=True)]
    return {"tokens_per_image": fmean(tokens), "flops_per_image": fmean(flops)}


def _recall_at_1(similarity: Tensor) -> Tensor:
    """The share of rows whose entry on the diagonal beats all others; a tie is a miss."""
    others = similarity.clone().fill_diagonal_(float("-inf"))
    return (similarity.diagonal() > others.max(dim=1).values).float().mean()
