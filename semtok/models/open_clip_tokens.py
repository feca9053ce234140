"""What the last block of a vision transformer of open_clip makes of each patch."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@torch.no_grad()
def last_attention(visual: nn.Module, pixels: Tensor) -> dict[str, Tensor]:
    """Read its patches where the last block's attention does.

    Args:
        visual: of which `attention` knows the last block.
        pixels: [I, 3, H, W], as the model's transform makes them.

    Returns:
        queries, keys and values, [I, P, width] of the P patches in reading order, heads side by
        side.

    Raises:
        ValueError: its attention is of another kind.
    """
    layer: Any = attention(visual)
    if layer is None:
        raise ValueError("no queries, keys and values that are known here")
    read: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Any, ...]) -> None:
        read.append(given[0])

    hook = layer.register_forward_pre_hook(keep)
    try:
        visual(pixels)
    finally:
        hook.remove()
    three = F.linear(read[0], layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=-1)
    patches = _patches(visual)
    names = ("queries", "keys", "values")
    return {name: each[:, -patches:] for name, each in zip(names, three, strict=True)}


def attention(visual: Any) -> nn.MultiheadAttention | None:
    """The attention of the last block; None of other towers than open_clip's own plain one.

    Plain is one of which [CLS] alone is read, and whose attention is PyTorch's.
    """
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    layer = getattr(blocks[-1], "attn", None) if blocks else None
    if not isinstance(layer, nn.MultiheadAttention) or not layer.batch_first:
        return None
    plain = visual.attn_pool is None and visual.pool_type == "tok" and visual.proj is not None
    return layer if plain else None


def _patches(visual: Any) -> int:
    rows, columns = visual.grid_size
    return int(rows * columns)
