"""A training step of `vit`'s encoder beside `CLIPVisionModel` of transformers at equal shape.

Forward, backward and AdamW of the vision side alone, from patches and from pictures that lie in
memory, to embeddings of unit length. Both use PyTorch's fused attention. Blocks have the same
parameters; ours computes [CLS] alone in the last block, since nothing else is read of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import turns
from benchmarks.result import Result
from semtok.models.clip_vision import ClipVisionEncoder
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.pictures import assembled
from semtok.params import EncoderSettings
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows

GOAL = 0.97
PATCH = 16
#: Pixels a side, images of a step, blocks: the demo's, and those of a ViT-S.
SHAPES = {
    "the demo's shape": (128, 64, EncoderSettings(128, 4, 4, 4.0, 128)),
    "ViT-S at 224 pixels": (224, 4, EncoderSettings(384, 12, 6, 4.0, 512)),
}


def run(scale: float) -> Iterator[Result]:
    """Measure both shapes."""
    repetitions = max(3, round(9 * scale))
    for name, (side, images, settings) in SHAPES.items():
        found = turns.seconds(steps(side, images, settings), repetitions)
        yield Result(
            name=f"training step of vit: {name}",
            ours=images / found["ours"],
            peer=images / found["transformers"],
            unit="images/s",
            at_least=GOAL,
            command="python -m benchmarks --only reference",
            packages=("torch", "transformers"),
            note="CLIPVisionModel of transformers with SDPA, vision side alone",
        )


def steps(side: int, images: int, settings: EncoderSettings) -> dict[str, Callable[[], object]]:
    """A training step of each, on the same pictures.

    Args:
        side: of the pictures, pixels.
        images: of a step.
        settings: of the blocks.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (images, side, side, 3), np.uint8)
    batch = Collate(patch_size=PATCH)(PixelRows(np.arange(images), pixels))
    vision = VisionConfig(
        batch.features.shape[2], batch.features.shape[1], False, (), False, False, False
    )
    torch.manual_seed(0)
    ours = VisualTokenEncoder(vision, settings)
    theirs = ClipVisionEncoder(replace(vision, encoder="clip_vision"), settings)
    assert theirs.tower.config._attn_implementation == "sdpa"
    pictures = assembled(batch.features, torch.float32)

    def of_clip() -> Tensor:
        pooled = theirs.tower(pixel_values=pictures).pooler_output
        return F.normalize(theirs.projection(pooled), dim=-1)

    return {
        "ours": _step(ours, lambda: ours(batch)),
        "transformers": _step(theirs, of_clip),
    }


def _step(model: nn.Module, embed: Callable[[], Tensor]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        embed().pow(3).sum().backward()
        optimizer.step()

    return step
