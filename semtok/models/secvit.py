"""The SECViT backbones: attention in equal clusters, with convolutions, in four stages.

Written from arXiv 2405.13337 and the details that only the released code has (`qhfan/SecViT`).
Stages see the picture at 1/4, 1/8, 1/16 and 1/32 of its side, in 32, 8, 2 and 1 clusters, so that
at 224 pixels a cluster always has 98 tokens (and all 49 of the last stage). What the original has
and this has not: stochastic depth, since no variant here is trained with any.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.clusters import Clusters

#: Channels of the features that are read at last.
FEATURES = 1024

#: Clusters of each stage.
CLUSTERS = (32, 8, 2, 1)

_CHANNELS = 3
_FFN_RATIO = 3
_LAYER_SCALE = 1e-6


@dataclass(frozen=True)
class Shape:
    """A backbone's size, stage by stage.

    Attributes:
        widths: channels.
        depths: blocks.
        heads: of attention; each has a multiple of 4 channels.
        scaled: whether what a block adds is scaled by a learned factor a channel (LayerScale).
    """

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    scaled: tuple[bool, bool, bool, bool] = (False,) * 4


_LATE = (False, False, True, True)

#: By the setting `encoder`. All are published but `secvit_tiny`: ours, for a CPU.
SHAPES = {
    "secvit_tiny": Shape((16, 32, 64, 128), (1, 1, 2, 1), (1, 2, 4, 8)),
    "secvit_t": Shape((64, 128, 256, 512), (2, 2, 9, 2), (2, 4, 8, 16)),
    "secvit_s": Shape((64, 128, 256, 512), (3, 4, 18, 4), (2, 4, 8, 16)),
    "secvit_b": Shape((80, 160, 320, 512), (4, 8, 26, 8), (5, 5, 10, 16), _LATE),
    "secvit_l": Shape((112, 224, 448, 640), (4, 8, 26, 8), (7, 7, 14, 20), _LATE),
}


class SecViT(nn.Module):
    """Pictures -> features.

    Attributes:
        stem: to a quarter of the side.
        stages: of blocks, each with the step to the next one's size.
        head: to `FEATURES` channels.
    """

    def __init__(self, shape: Shape) -> None:
        """Create the backbone, every kernel drawn with standard deviation 0.02, biases 0."""
        super().__init__()
        first = shape.widths[0]
        narrow = first // 2
        self.stem = nn.Sequential(
            *(_convolution(_CHANNELS, narrow, stride=2), nn.GELU()),
            *(_convolution(narrow, narrow), nn.GELU()),
            *(_convolution(narrow, narrow), nn.GELU()),
            _convolution(narrow, first, stride=2),
        )
        self.stages = nn.ModuleList()
        sizes = zip(shape.widths, shape.depths, shape.heads, CLUSTERS, shape.scaled, strict=True)
        for number, (width, depth, heads, clusters, scaled) in enumerate(sizes):
            blocks = [Block(width, heads, clusters, scaled) for _ in range(depth)]
            following = shape.widths[number + 1] if number + 1 < len(shape.widths) else None
            self.stages.append(Stage(blocks, width // heads, width, following))
        self.head = nn.Sequential(
            nn.Conv2d(shape.widths[-1], FEATURES, 1), nn.BatchNorm2d(FEATURES), nn.SiLU()
        )
        self.shape = shape
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        """Describe B pictures.

        Args:
            pictures: [B, 3, S, S] float, -1..1; S is a multiple of 32.

        Returns:
            [B, S/32, S/32, FEATURES].
        """
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            x = stage(x)
        return self.head(x).permute(0, 2, 3, 1)  # type: ignore[no-any-return]

    def flops(self, side: int) -> int:
        """FLOPs of a picture of `side` pixels, convolutions and matrix products alone.

        A multiply-add is two.
        """
        widths = self.shape.widths
        half, quarter = (side // 2) ** 2, (side // 4) ** 2
        narrow = widths[0] // 2
        count = 9 * narrow * (half * (_CHANNELS + 2 * narrow) + quarter * widths[0])
        for number, (width, depth, clusters) in enumerate(
            zip(widths, self.shape.depths, CLUSTERS, strict=True)
        ):
            tokens = quarter // 4**number
            hidden = _FFN_RATIO * width
            products = 4 * width**2 + 2 * width * hidden + 2 * width * (tokens // clusters)
            kernels = 9 * width + 25 * width + 9 * hidden
            count += depth * tokens * (products + kernels)
            if number + 1 < len(widths):
                count += 9 * width * widths[number + 1] * tokens // 4
        return 2 * (count + widths[-1] * FEATURES * (quarter // 64))


class Stage(nn.Module):
    """Blocks of one size, then the step to the next size, if there is one."""

    def __init__(
        self, blocks: list["Block"], head_size: int, width: int, following: int | None
    ) -> None:
        """Join them.

        Args:
            blocks: in turn.
            head_size: channels of a head.
            width: of their tokens.
            following: channels of the next stage, which has half the side.
        """
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.down = nn.Identity() if following is None else _convolution(width, following, stride=2)
        self.head_size = head_size

    def forward(self, x: Tensor) -> Tensor:
        """Transform [B, width, h, w]."""
        x = x.permute(0, 2, 3, 1)
        rotation = rotations(x.shape[1], x.shape[2], self.head_size, x)
        for block in self.blocks:
            x = block(x, rotation)
        return self.down(x.permute(0, 3, 1, 2))  # type: ignore[no-any-return]


class Block(nn.Module):
    """x + convolution(x), then x + attention(norm(x)), then x + FFN(norm(x))."""

    def __init__(self, width: int, heads: int, clusters: int, scaled: bool) -> None:
        """Create the block; see `Shape`."""
        super().__init__()
        self.place = _Depthwise(width, 3)
        self.norm_attention = nn.LayerNorm(width, eps=1e-6)
        self.attention = ClusteredAttention(width, heads, clusters)
        self.norm_ffn = nn.LayerNorm(width, eps=1e-6)
        self.ffn = FeedForward(width)
        self.scale_attention = _Scale(width) if scaled else nn.Identity()
        self.scale_ffn = _Scale(width) if scaled else nn.Identity()

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        """Transform [B, h, w, width]."""
        x = x + self.place(x)
        x = x + self.scale_attention(self.attention(self.norm_attention(x), rotation))
        return x + self.scale_ffn(self.ffn(self.norm_ffn(x)))  # type: ignore[no-any-return]


class ClusteredAttention(nn.Module):
    """Attention in equal clusters over rotated queries and keys, plus a convolution of values."""

    def __init__(self, width: int, heads: int, clusters: int) -> None:
        """Create the layer.

        Args:
            width: of a token.
            heads: attention heads.
            clusters: which divide the number of tokens.
        """
        super().__init__()
        self.heads, self.head_size = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.place = _Depthwise(width, 5)  # of values: LePE
        self.out = nn.Linear(width, width)
        self.clusters = Clusters(clusters, "semantic", layer=0, leading=0)

    def forward(self, x: Tensor, rotation: Tensor) -> Tensor:
        """Mix tokens [B, h, w, width], with `rotations` of that grid."""
        width = x.shape[-1]
        qkv = self.qkv(x)
        q, k, v = self._heads(qkv)
        q, k = rotated(q, rotation), rotated(k, rotation)
        if self.clusters.count > 1:
            mixed = self.clusters.attend(q, k, v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        mixed = mixed.transpose(1, 2).reshape(x.shape)
        return self.out(mixed + self.place(qkv[..., 2 * width :]))  # type: ignore[no-any-return]

    def keys(self, x: Tensor, rotation: Tensor) -> Tensor:
        """What `forward` sorts the tokens of `x` by: [B, heads, h * w, head_size]."""
        return rotated(self._heads(self.qkv(x))[1], rotation)

    def _heads(self, qkv: Tensor) -> Tensor:
        """Queries, keys and values [3, B, heads, h * w, head_size]."""
        return qkv.view(len(qkv), -1, 3, self.heads, self.head_size).permute(2, 0, 3, 1, 4)


class FeedForward(nn.Module):
    """Linear, GELU, x + convolution(x), linear."""

    def __init__(self, width: int) -> None:
        """Create the layer for tokens of a width."""
        super().__init__()
        self.expand = nn.Linear(width, _FFN_RATIO * width)
        self.place = _Depthwise(_FFN_RATIO * width, 3)
        self.contract = nn.Linear(_FFN_RATIO * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform [B, h, w, width]."""
        x = F.gelu(self.expand(x))
        return self.contract(x + self.place(x))  # type: ignore[no-any-return]


def rotations(rows: int, columns: int, size: int, like: Tensor) -> Tensor:
    """By how much a token's query and key are turned: 2-D RoPE.

    Args:
        rows: of the grid.
        columns: of the grid.
        size: d, channels of a head.
        like: gives dtype and device.

    Returns:
        [2, rows * columns, d] cosine and sine; the first half of the channels turns by the row,
        the second by the column, each pair of channels at a pace of its own, 1 to 1/10000.
    """
    paces = 10000 ** -torch.linspace(0, 1, size // 4, dtype=torch.float64, device=like.device)
    paces = paces.repeat_interleave(2)
    row = torch.arange(rows, device=like.device)[:, None] * paces
    column = torch.arange(columns, device=like.device)[:, None] * paces
    turns = (row[:, None].expand(-1, columns, -1), column.expand(rows, -1, -1))
    angles = torch.cat(turns, dim=-1).flatten(0, 1)
    return torch.stack([angles.cos(), angles.sin()]).to(like.dtype)


def rotated(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of channels of [B, heads, L, d] by `rotations`."""
    cosine, sine = rotation[0].to(x.dtype), rotation[1].to(x.dtype)
    one, other = x[..., ::2], x[..., 1::2]
    return x * cosine + torch.stack([-other, one], dim=-1).flatten(-2) * sine


class _Scale(nn.Module):
    """A learned factor a channel, small at first: LayerScale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((width,), _LAYER_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = x * self.factor
        return scaled


class _Depthwise(nn.Conv2d):
    """A convolution of each channel apart, [B, h, w, width] -> the same."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, width, size, padding=size // 2, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = super().forward(x.permute(0, 3, 1, 2))
        return mixed.permute(0, 2, 3, 1)


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1), nn.BatchNorm2d(after))
