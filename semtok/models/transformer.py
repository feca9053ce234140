"""Pre-norm transformer blocks: the same for every variant, and for captions."""

from torch import Tensor, nn

from semtok.models.attention import Attention


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        """Create the block.

        Args:
            width: of a token.
            heads: attention heads.
            mlp_ratio: hidden width of the MLP, in widths.
        """
        super().__init__()
        hidden = round(width * mlp_ratio)
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor, bias: Tensor | None = None, causal: bool = False) -> Tensor:
        """Transform tokens [B, N, width]; `bias` and `causal` as in `Attention.forward`."""
        x = x + self.attention(self.norm_attention(x), bias, causal)
        return x + self.mlp(self.norm_mlp(x))  # type: ignore[no-any-return]


def blocks(depth: int, width: int, heads: int, mlp_ratio: float) -> nn.ModuleList:
    """A stack of blocks, initialised as CLIP's (Radford et al. 2021, released code).

    What a block adds to the residual stream is scaled by (2 depth)^-1/2, so that the stream's
    variance at the start does not grow with depth.
    """
    stack = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
    inner, residual = width**-0.5, width**-0.5 * (2 * depth) ** -0.5
    for block in stack:
        assert isinstance(block, Block)
        expand, _, contract = block.mlp
        for layer, std in (
            (block.attention.qkv, inner),
            (block.attention.out, residual),
            (expand, (2 * width) ** -0.5),
            (contract, residual),
        ):
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
    return stack


def block_flops(width: int, mlp_ratio: float) -> int:
    """FLOPs of one block per token, attention between tokens aside (a multiply-add is two)."""
    return 2 * width * (4 * width + 2 * round(width * mlp_ratio))


def attention_flops(width: int) -> int:
    """FLOPs of one block per ordered pair of tokens: the scores and the mixing of values."""
    return 4 * width
