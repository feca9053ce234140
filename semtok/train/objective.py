"""What a training minimises: the loss of images and captions, and auxiliary ones besides."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.adaptive import AdaptiveEncoder, run
from semtok.models.class_table import ClassTable
from semtok.models.image_text import ImageTextModel
from semtok.params import GateSettings
from semtok.tokens.batch import INTANGIBLE, TokenBatch
from semtok.tokens.sizes import by_size
from semtok.train import distributed
from semtok.train.batches import Batch
from semtok.train.budget import budget_loss
from semtok.train.loss import info_nce, over_classes
from semtok.train.precision import mixed_precision
from semtok.train.targets import Targets


class Objective(nn.Module):
    """The sum of a model's losses, in nats; `loss/budget` comes with its weight.

    Attributes:
        model: what is trained.
        heads: what is trained beside it and then dropped, by the name of its loss.
    """

    def __init__(self, model: ImageTextModel, heads: nn.ModuleDict) -> None:
        """Join a model and its heads of `auxiliary_heads`, both on one device."""
        super().__init__()
        self.model = model
        self.heads = heads

    @property
    def names(self) -> tuple[str, ...]:
        """Of the losses: `loss` is the one of `image_text_loss`, which all variants have."""
        names = [f"loss/{name}" for name in self.heads]
        return ("loss", *names, *([] if self.gates is None else ["loss/budget"]))

    @property
    def gates(self) -> GateSettings | None:
        """How tokens are dropped within a budget, where they are."""
        return self.model.config.vision.gates

    def forward(self, batch: Batch) -> list[Tensor]:
        """The losses of a batch, 0-d each, in the order of `names`."""
        model, device = self.model, self.model.log_scale.device
        with mixed_precision(device):
            if batch.budget is None:
                x, images = _encoded(model, batch.tokens)
            else:
                assert isinstance(model.vision, AdaptiveEncoder)
                tokens = batch.tokens.to(device)
                passage = run(model.vision, tokens, batch.budget.to(device))
                images = passage.embedding
                gated = model.vision.keys(tokens) & (tokens.kind != INTANGIBLE)
            ids = batch.ids.to(device)
            texts = model.encode_text(ids)
        contrastive = distributed.contrastive
        losses = [image_text_loss(model, images.float(), texts.float(), ids, contrastive)]
        if batch.targets is not None:
            # Patches, of which all images have as many: the first part is the whole batch.
            targets, patches = batch.targets.to(device), x[:, model.vision.leading :]
            with mixed_precision(device):
                losses += [
                    _OF_HEAD[name](head, patches, targets) for name, head in self.heads.items()
                ]
        if self.gates is not None and batch.budget is not None:
            weights = passage.weights[self.gates.block - 1]
            kept = budget_loss(weights.float(), gated, batch.budget.to(device), self.gates.count)
            losses.append(self.gates.weight * kept)
        return losses


def image_text_loss(
    model: ImageTextModel,
    images: Tensor,
    texts: Tensor,
    ids: Tensor,
    contrastive: Callable[[Tensor, Tensor, Tensor], Tensor] = info_nce,
) -> Tensor:
    """The loss of a batch: contrastive, or of a classifier the cross entropy over its classes.

    Args:
        model: with its text side and scale.
        images: [B, P], unit length.
        texts: [B, P], unit length; row i belongs to image i.
        ids: [B, L], what `texts` was made of.
        contrastive: `info_nce` of these rows, or of those of all processes.

    Returns:
        0-d, in nats.
    """
    if isinstance(model.text, ClassTable):
        return over_classes(images, model.text.vectors.float(), ids[:, 0], model.logit_scale)
    return contrastive(images, texts, model.logit_scale)


def _encoded(model: ImageTextModel, tokens: TokenBatch) -> tuple[Tensor, Tensor]:
    """What the last block reads of the first part of a batch, and the embeddings of all of it."""
    device = model.log_scale.device
    parts = by_size(tokens)
    contexts = [model.vision.contextualise(each.tokens.to(device)) for each in parts]
    images = torch.cat([model.vision.summarise(*each) for each in contexts])
    if len(parts) > 1:
        back = torch.cat([each.rows for each in parts]).argsort()
        images = images[back.to(device)]
    return contexts[0][0], images


def mask_loss(head: nn.Module, patches: Tensor, targets: Targets) -> Tensor:
    """Binary cross entropy over all pairs of different patches: is there a mask with both?

    Args:
        head: a `MaskHead`.
        patches: [B, P, width].
        targets: of the same images.

    Returns:
        0-d, the mean over pairs and images.
    """
    regions = targets.regions.to(patches.dtype)
    together = (regions.transpose(1, 2) @ regions > 0).float()
    pairs = torch.ones_like(together[0], dtype=torch.bool).triu(diagonal=1)
    logits = head(patches).float()
    return F.binary_cross_entropy_with_logits(logits[:, pairs], together[:, pairs])


def relation_loss(head: nn.Module, patches: Tensor, targets: Targets) -> Tensor:
    """Cross entropy of the predicate of each relation.

    Args:
        head: a `RelationHead`.
        patches: [B, P, width].
        targets: of the same images.

    Returns:
        0-d, the mean over relations; 0 where there is none.
    """
    logits = head(patches, targets.regions, targets.relations).float()
    total = F.cross_entropy(logits, targets.predicates, reduction="sum")
    # Processes have different numbers of relations; each of them weighs the same.
    found = distributed.mean(torch.tensor(float(len(logits)), device=total.device))
    return total / (found + (found == 0))


_OF_HEAD = {"masks": mask_loss, "relations": relation_loss}
