"""Pre-norm transformer blocks: the same for every variant, and for captions."""

from torch import Tensor, nn

from semtok.models.attention import Attention
from semtok.models.clusters import Clusters


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

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None = None,
        causal: bool = False,
        queries: int | None = None,
        clusters: Clusters | None = None,
    ) -> Tensor:
        """Transform tokens [B, N, width]; arguments and result as `Attention.forward`."""
        mixed = self.attention(self.norm_attention(x), bias, causal, queries, clusters)
        x = x[:, :queries] + mixed
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
            (block.attention.q, inner),
            (block.attention.kv, inner),
            (block.attention.out, residual),
            (expand, (2 * width) ** -0.5),
            (contract, residual),
        ):
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
    return stack


def block_flops(
    width: int, mlp_ratio: float, queries: int, keys: int, pairs: int | None = None
) -> int:
    """FLOPs of one block's matrix products; a multiply-add is two.

    Args:
        width: of a token.
        mlp_ratio: hidden width of the MLP, in widths.
        queries: tokens that the block computes.
        keys: tokens that they attend to; causal attention counts those it masks.
        pairs: scores that are computed, of which clusters leave some out; all by default.
    """
    query = 2 * width * (2 * width + 2 * round(width * mlp_ratio))  # q, output and MLP
    key = 2 * width * 2 * width  # k and v
    pair = 2 * width * 2  # a score, and its share of the mix of values
    pairs = queries * keys if pairs is None else pairs
    return queries * query + keys * key + pairs * pair
