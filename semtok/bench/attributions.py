"""What the superpixels of some images count for, by one training of a variant."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from semtok.bench.device import device
from semtok.models.attributions import attention_flow, prototype_component
from semtok.models.encoder import VisualTokenEncoder
from semtok.tokens.rows import SuperpixelRows
from semtok.train import checkpoint
from semtok.train.captions import Captions

#: Images of the split whose first captions are the prototypes, equal ones once.
_PROTOTYPES = 64


@dataclass(frozen=True)
class Attributions:
    """Values of the superpixels of B images, standardised within each.

    Attributes:
        rows: the images, with R superpixels together.
        attention_flow: [R] float64.
        prototype_component: [R] float64.
    """

    rows: SuperpixelRows
    attention_flow: NDArray[np.float64]
    prototype_component: NDArray[np.float64]


def attributions(
    folder: Path, shards: Path, captions: pa.Table, images: int
) -> Attributions | None:
    """Attribute the first images of some token shards.

    Prototypes are what the text side makes of captions; of a classifier, these are the names of its
    classes.

    Args:
        folder: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        captions: the index's: caption_id, image_id, caption.
        images: B.

    Returns:
        None where the variant's tokens are no superpixels, or its encoder drops some of them.
    """
    trained = checkpoint.load(folder, device())
    opened = trained.open_shards(shards)
    rows = opened.rows(np.arange(min(images, len(opened))))
    model = trained.model
    if not isinstance(rows, SuperpixelRows) or type(model.vision) is not VisualTokenEncoder:
        return None
    there = model.log_scale.device
    some = opened.image_ids[:_PROTOTYPES]
    names = sorted(set(Captions(captions, some).first(some)))
    batch = trained.collate(rows).to(there)
    with torch.inference_mode():
        prototypes = model.encode_text(trained.text_tokenizer.encode(names).to(there))
        values = (
            attention_flow(model.vision, batch),
            prototype_component(model.vision, batch, prototypes),
        )
    flow, component = (each[batch.valid].cpu().numpy() for each in values)
    return Attributions(rows, flow, component)
