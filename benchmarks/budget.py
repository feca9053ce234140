"""An encoder with gates beside the same one without: its time falls with the tokens that are left.

196 patches of 16 x 16 pixels, 12 blocks of 192 (DeiT-Ti), 8 images at once, a forward pass of the
encoder alone. The gates have random weights, and the first one a threshold at which so many tokens
are left; the others weigh and drop nothing.
"""

from collections.abc import Callable, Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import turns
from benchmarks.result import Result
from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import EncoderSettings, GateSettings
from semtok.tokens.batch import PATCH, TokenBatch

PATCHES, PIXELS, IMAGES = 196, 16, 8
BLOCKS = EncoderSettings(width=192, depth=12, heads=3, mlp_ratio=4.0, embedding=192)
SHARES = (0.25, 0.5, 1.0)

#: Half of the tokens should take little more than half of the time.
GOAL = {0.5: 0.65}


def run(scale: float) -> Iterator[Result]:
    """Measure each share of tokens against all tokens without gates."""
    torch.manual_seed(0)
    batch = _batch()
    vision = VisionConfig(PIXELS**2 * 3, PATCHES, False, (), False, False, False)
    plain = VisualTokenEncoder(vision, BLOCKS).eval()
    ways = {"plain": _forward(plain, batch)}
    ways |= {f"{share:g}": _forward(_gated(share, batch), batch) for share in SHARES}
    with torch.inference_mode():
        seconds = turns.seconds(ways, max(3, round(9 * scale)))
    for share in SHARES:
        yield Result(
            name=f"gates: {100 * share:g} % of {PATCHES} tokens left",
            ours=1000 * seconds[f"{share:g}"] / IMAGES,
            peer=1000 * seconds["plain"] / IMAGES,
            unit="ms/image",
            at_most=GOAL.get(share),
            command="python -m benchmarks --only budget",
            packages=("torch",),
            note="the same encoder without gates, all tokens",
        )


def _batch() -> TokenBatch:
    return TokenBatch(
        features=torch.randint(0, 256, (IMAGES, PATCHES, PIXELS**2 * 3), dtype=torch.uint8),
        geometry=torch.zeros(IMAGES, PATCHES, 5),
        kind=torch.full((IMAGES, PATCHES), PATCH),
        valid=torch.ones(IMAGES, PATCHES, dtype=torch.bool),
        edges=torch.empty(IMAGES, 0, 4, dtype=torch.int64),
        neighbours=torch.empty(IMAGES, PATCHES, 0, dtype=torch.int64),
    )


def _forward(encoder: VisualTokenEncoder, batch: TokenBatch) -> Callable[[], object]:
    return lambda: encoder(batch)


@torch.no_grad()
def _gated(share: float, batch: TokenBatch) -> AdaptiveEncoder:
    gates = GateSettings(block=6)
    vision = VisionConfig(PIXELS**2 * 3, PATCHES, False, (), False, False, False, gates=gates)
    encoder = AdaptiveEncoder(vision, BLOCKS).eval()
    thresholds = [cast(nn.Linear, each) for each in encoder.gates.threshold]
    for layer in thresholds:
        layer.weight.zero_()
        layer.bias.fill_(-30.0)
    if share < 1:
        # sigmoid(w.x + bias) > sigmoid(c) for so large a share of all tokens.
        logits = F.linear(encoder.embedding(batch)[:, 1:], encoder.gates.weight[:1])
        thresholds[0].bias.fill_(float(logits.quantile(1 - share)) + gates.bias)
    return encoder
