"""How much of its attention a model spends on the background: patches that no mask covers.

Grisi, Litjens and van der Laak (arXiv 2404.18152) mask these keys in every block and head; then the
share is 0, exactly. Of a model that was not masked it says what its heat maps owe to background.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from semtok.bench.device import device
from semtok.bench.patch_models import encoder_of_patches
from semtok.models.attention_maps import attention_maps, background, mass, rollout
from semtok.tables import TableSchema
from semtok.tokens.loader import in_order
from semtok.tokens.rows import RelatedPixelRows
from semtok.train import checkpoint

#: One row an image: the share of its patches that are background, which is what attention spread
#: evenly over patches would spend there, and the shares (0..1) of [CLS]'s attention: in the last
#: block, the mean over its heads; the mean over all blocks and heads; and by attention rollout.
BACKGROUND = TableSchema(
    "background",
    1,
    pa.schema(
        [
            ("split", pa.string()),
            ("seed", pa.int64()),
            ("image_id", pa.int64()),
            ("background", pa.float64()),
            ("last_block", pa.float64()),
            ("all_blocks", pa.float64()),
            ("rollout", pa.float64()),
        ]
    ),
)
_MASSES = BACKGROUND.columns.names[3:]

#: Images of each split that are measured.
_IMAGES = 512
_BATCH = 64


@dataclass(frozen=True)
class HeatMaps:
    """Where [CLS] of one training looks in B images of S x S pixels.

    Attributes:
        image_ids: [B] int64.
        pixels: [B, S, S, 3] uint8.
        foreground: [B, side, side] bool, patches that a mask covers.
        last_block: [B, side, side], the attention of [CLS] in the last block, mean over heads.
        rollout: [B, side, side], the same through all blocks.
    """

    image_ids: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    foreground: NDArray[np.bool_]
    last_block: NDArray[np.float64]
    rollout: NDArray[np.float64]


def measure(trainings: Mapping[int, Path], shards: Mapping[str, Path]) -> pa.Table | None:
    """Measure all trainings of a variant on the first 512 images of each split.

    Args:
        trainings: seed -> folder of a checkpoint.
        shards: split -> token shards of the variant's tokenizer.

    Returns:
        Schema `BACKGROUND`, images that are all foreground among them; None where the variant's
        tokens tell no foreground, or its encoder is not one whose attention is read.
    """
    parts = []
    for seed, folder in trainings.items():
        trained = checkpoint.load(folder, device())
        encoder = encoder_of_patches(trained)
        if encoder is None:
            return None
        patches = trained.model.config.vision.patches
        for split, path in shards.items():
            for rows in in_order(trained.open_shards(path), _BATCH, _IMAGES):
                batch = trained.collate(rows).to(device())
                if batch.foreground is None:
                    return None
                maps, behind = attention_maps(encoder, batch), background(batch)
                masses = (
                    behind[:, :patches].double().mean(dim=1),
                    mass(maps[:, -1], behind).mean(dim=1),
                    mass(maps, behind).mean(dim=(1, 2)),
                    mass(rollout(maps), behind),
                )
                values = (np.asarray(each.double().cpu()) for each in masses)
                parts.append(
                    pa.table(
                        {
                            "split": [split] * len(batch),
                            "seed": [seed] * len(batch),
                            "image_id": rows.image_ids,
                            **dict(zip(_MASSES, values, strict=True)),
                        },
                        BACKGROUND.columns,
                    )
                )
    return pa.concat_tables(parts)


def means(table: pa.Table) -> dict[str, float]:
    """The mean share by name, over the images that have any background (none: no names)."""
    some = table.filter(pa.compute.greater(table["background"], 0))
    return {name: pa.compute.mean(some[name]).as_py() for name in _MASSES} if len(some) else {}


def heat_maps(folder: Path, shards: Path, images: int) -> HeatMaps:
    """Look at the first images of some token shards by one training, as `measure` does.

    Args:
        folder: `seed-S` of a checkpoint of which `measure` gave a table.
        shards: of its tokenizer.
        images: B.
    """
    trained = checkpoint.load(folder, device())
    opened = trained.open_shards(shards)
    rows = opened.rows(np.arange(min(images, len(opened))))
    encoder, patches = encoder_of_patches(trained), trained.model.config.vision.patches
    batch = trained.collate(rows).to(device())
    assert isinstance(rows, RelatedPixelRows)
    assert encoder is not None
    assert batch.foreground is not None
    assert patches is not None
    side = round(patches**0.5)
    maps, leading = attention_maps(encoder, batch), encoder.leading

    def grid(values: torch.Tensor, first: int = 0) -> NDArray[np.float64]:
        here = values[:, first : first + patches].double().cpu().numpy()
        return np.asarray(here.reshape(-1, side, side))

    return HeatMaps(
        image_ids=rows.image_ids,
        pixels=rows.pixels[..., :3],
        foreground=grid(batch.foreground) > 0,
        last_block=grid(maps[:, -1].mean(dim=1)[:, 0], leading),
        rollout=grid(rollout(maps)[:, 0], leading),
    )
