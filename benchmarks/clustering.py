"""Attention in 32 equal clusters beside dense attention: the core alone, and the whole block.

4,096 tokens of one image, 4 heads of 32 channels, float32, forward and backward. The core's peer is
PyTorch's fused attention on the same queries, keys and values; ours includes finding the order.
The block adds what both have: norms, projections, MLP.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from benchmarks import turns
from benchmarks.result import Result
from semtok.models.clusters import Clusters
from semtok.models.transformer import blocks

TOKENS, HEADS, SIZE, COUNT = 4096, 4, 32, 32
GOAL = 4.0


def run(scale: float) -> Iterator[Result]:
    """Measure the core, then the block."""
    repetitions = max(3, round(9 * scale))
    torch.manual_seed(0)
    clusters = Clusters(COUNT, "semantic", layer=0, leading=0)
    yield _result("core", turns.seconds(_core(clusters), repetitions), GOAL)
    yield _result("whole block", turns.seconds(_block(clusters), repetitions), None)


def _result(what: str, seconds: dict[str, float], goal: float | None) -> Result:
    return Result(
        name=f"clusters: {what}, {TOKENS:,} tokens in {COUNT}",
        ours=1 / seconds["clustered"],
        peer=1 / seconds["dense"],
        unit="passes/s",
        at_least=goal,
        command="python -m benchmarks --only clustering",
        packages=("torch",),
        note="dense attention of PyTorch (SDPA), forward and backward",
    )


def _core(clusters: Clusters) -> dict[str, Callable[[], object]]:
    q, k, v = (torch.randn(1, HEADS, TOKENS, SIZE, requires_grad=True) for _ in range(3))
    towards = torch.randn(1, HEADS, TOKENS, SIZE)
    return {
        "clustered": lambda: clusters.attend(q, k, v).backward(towards),
        "dense": lambda: F.scaled_dot_product_attention(q, k, v).backward(towards),
    }


def _block(clusters: Clusters) -> dict[str, Callable[[], object]]:
    [block] = blocks(1, HEADS * SIZE, HEADS, mlp_ratio=4.0)
    x = torch.randn(1, TOKENS, HEADS * SIZE, requires_grad=True)
    towards = torch.randn_like(x)
    return {
        "clustered": lambda: block(x, clusters=clusters).backward(towards),
        "dense": lambda: block(x).backward(towards),
    }
