"""Speed and numerics on a GPU: `python -m benchmarks.gpu`, a few minutes; writes `gpu.json`.

- The share of the GPU's own matrix rate, measured by products of square bfloat16 matrices, that a
  training step of `vit` reaches at ViT-B size: bfloat16, AdamW, with and without `torch.compile`.
  Counted are the FLOPs that the model states, times three for forward and backward.
- Attention with an additive bias that learns, beside attention without: the scores' bias given to
  PyTorch's attention (SDPA), and computed within FlexAttention. Forward and backward.
- The same step beside timm's ViT of equal shape, where timm is installed.
- Superpixels in batches, beside SLIC of scikit-image on one core (`gpu_superpixels.py`).
- What the GPU computes beside what the CPU does (`gpu_numerics.py`).

Where there is no GPU it says so and ends well.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn
from torch.nn.attention.flex_attention import flex_attention

from benchmarks import gpu_numerics, gpu_superpixels, turns
from benchmarks.result import Result
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.pictures import assembled
from semtok.params import EncoderSettings
from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows

RESULTS = Path(__file__).parent / "gpu.json"
PATCH = 16
SHARE, PEER, BIASED = 0.45, 0.97, 0.7  # goals


@dataclass(frozen=True)
class Load:
    """How much to compute.

    Attributes:
        settings: of the encoder.
        side: of the pictures, pixels.
        images: of a step.
        matrix: rows and columns of the matrices that tell the rate.
        repetitions: of what is timed.
    """

    settings: EncoderSettings
    side: int
    images: int
    matrix: int
    repetitions: int


VIT_B = Load(EncoderSettings(768, 12, 12, 4.0, 512), 224, 256, 8192, 20)


def main() -> None:
    """Measure, print, and write the result file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS, help="the result file")
    output = parser.parse_args().output
    console = Console()
    if not torch.cuda.is_available():
        console.print("no GPU here: nothing was measured, and no result file is written")
        return
    device = torch.device("cuda")
    found = list(measure(device, VIT_B, compiled=True))
    for each in found:
        ratio = "" if each.ratio is None else f"{each.ratio:.3g}"
        console.print(f"{each.name}: {ratio} (goal {each.goal or 'none'}; {each.note})")
    rows = [each.to_json() for each in found]
    content = {"device": torch.cuda.get_device_name(device), "results": rows}
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    console.print(f"written to {output}")


def measure(device: torch.device, load: Load, compiled: bool) -> Iterator[Result]:
    """Measure everything.

    Args:
        device: where; the smoke test takes the CPU.
        load: how much.
        compiled: whether to measure `torch.compile` and FlexAttention, which needs it.
    """
    rate = matrix_rate(device, load)
    batch, vision = pictures(load)
    for way in (False, True) if compiled else (False,):
        reached = training_rate(device, load, batch, vision, way)
        what = "compiled" if way else "as written"
        yield _result(f"training step, {what}", reached / 1e12, rate / 1e12, "TFLOP/s", SHARE)
    yield from beside_timm(device, load, batch, vision)
    yield from biased_attention(device, load, compiled)
    now = _clock(device)
    yield gpu_superpixels.beside_slic(device, load.side, load.images, load.repetitions, now)
    few, of_few = pictures(replace(load, images=min(load.images, 8)))
    yield from gpu_numerics.run(device, load.settings, few, of_few)


def _result(name: str, ours: float, peer: float, unit: str, at_least: float | None) -> Result:
    notes = {"TFLOP/s": "products of square bfloat16 matrices", "passes/s": "without a bias"}
    return Result(
        name=f"gpu: {name}",
        ours=ours,
        peer=peer,
        unit=unit,
        at_least=at_least,
        command="python -m benchmarks.gpu",
        packages=("torch",),
        note=notes[unit],
    )


def matrix_rate(device: torch.device, load: Load) -> float:
    """FLOP/s of square bfloat16 matrix products."""
    one, other = torch.randn(2, load.matrix, load.matrix, device=device, dtype=torch.bfloat16)
    found = turns.seconds({"product": lambda: one @ other}, load.repetitions, _clock(device))
    return 2 * load.matrix**3 / found["product"]


def pictures(load: Load) -> tuple[TokenBatch, VisionConfig]:
    """Random pictures as patches, and what an encoder has to know of them."""
    size = (load.images, load.side, load.side, 3)
    pixels = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    batch = Collate(patch_size=PATCH)(PixelRows(np.arange(load.images), pixels))
    _, patches, bytes_a_patch = batch.features.shape
    return batch, VisionConfig(bytes_a_patch, patches, False, (), False, False, False)


def training_rate(
    device: torch.device, load: Load, batch: TokenBatch, vision: VisionConfig, compiled: bool
) -> float:
    """FLOP/s of training steps of the vision side."""
    torch.manual_seed(0)
    model = VisualTokenEncoder(vision, load.settings).to(device)
    forward = torch.compile(model) if compiled else model
    there = batch.to(device)
    step = _step(device, model, lambda: forward(there))
    found = turns.seconds({"step": step}, load.repetitions, _clock(device))
    assert vision.patches is not None
    return 3 * load.images * model.flops(vision.patches) / found["step"]


def biased_attention(device: torch.device, load: Load, compiled: bool) -> Iterator[Result]:
    """Attention with a bias of a learned weight a head times counts of pairs."""
    torch.manual_seed(0)
    heads, tokens = load.settings.heads, (load.side // PATCH) ** 2
    shape = (load.images, heads, tokens, load.settings.width // heads)
    q, k, v = torch.randn(3, *shape, device=device, dtype=torch.bfloat16).requires_grad_().unbind()
    counts = torch.randint(0, 2, (load.images, 1, tokens, tokens), device=device).bfloat16()
    table = torch.randn(heads, 1, 1, device=device, dtype=torch.bfloat16, requires_grad=True)
    towards = torch.randn(shape, device=device, dtype=torch.bfloat16)
    flexible = torch.compile(flex_attention) if compiled else flex_attention

    def shifted(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score + table[h, 0, 0] * counts[b, 0, i, j]

    ways: dict[str, Callable[[], object]] = {
        "without": lambda: F.scaled_dot_product_attention(q, k, v).backward(towards),
        "SDPA": lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=table * counts).backward(
            towards
        ),
    }
    if compiled:
        ways["FlexAttention"] = lambda: flexible(q, k, v, score_mod=shifted).backward(towards)
    found = turns.seconds(ways, load.repetitions, _clock(device))
    plain = found.pop("without")
    best = min(found, key=found.__getitem__)
    for name, each in found.items():
        goal = BIASED if name == best else None
        yield _result(f"attention with bias, {name}", 1 / each, 1 / plain, "passes/s", goal)


def beside_timm(
    device: torch.device, load: Load, batch: TokenBatch, vision: VisionConfig
) -> Iterator[Result]:
    """A training step of `vit` beside timm's, bfloat16, as written, both from what they read."""
    name, command = "gpu: training step beside timm's ViT", "python -m benchmarks.gpu"
    try:
        from timm.models.vision_transformer import VisionTransformer
    except ImportError:
        note = "timm is not installed"
        yield Result(name, None, None, "images/s", command, ("torch",), note, at_least=PEER)
        return
    settings = load.settings
    torch.manual_seed(0)
    ours = VisualTokenEncoder(vision, settings).to(device)
    theirs = VisionTransformer(
        img_size=load.side,
        patch_size=PATCH,
        num_classes=settings.embedding,
        embed_dim=settings.width,
        depth=settings.depth,
        num_heads=settings.heads,
        mlp_ratio=settings.mlp_ratio,
    ).to(device)
    there, shown = batch.to(device), assembled(batch.features, torch.float32).to(device)
    ways = {
        "ours": _step(device, ours, lambda: ours(there)),
        "timm": _step(device, theirs, lambda: F.normalize(theirs(shown), dim=-1)),
    }
    found = turns.seconds(ways, load.repetitions, _clock(device))
    yield Result(
        name,
        load.images / found["ours"],
        load.images / found["timm"],
        "images/s",
        command,
        ("torch", "timm"),
        "VisionTransformer of timm, of equal shape",
        at_least=PEER,
    )


def _step(
    device: torch.device, model: nn.Module, embed: Callable[[], Tensor]
) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16):
            embedded = embed()
        embedded.float().pow(3).sum().backward()
        optimizer.step()

    return step


def _clock(device: torch.device) -> Callable[[], float]:
    """Seconds on the wall, when all that was asked of the device is done."""

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


if __name__ == "__main__":
    main()
