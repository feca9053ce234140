"""Gates that learn which tokens a budget is best spent on: arXiv 2405.02330.

A budget token tells every block how much may be kept; a gate before each block weighs every token
by what it shows, and drops it for good where the weight is 0 (docs/systems/adaptive_selection.md).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semtok.models.transformer import Block
from semtok.params import GateSettings

#: Of the first w and v, and the first c: a threshold of 0.05.
_SMALL, _LOW = 0.02, -3.0


class Gates(nn.Module):
    """The budget token, and the gates of all blocks.

    The gate of a block weighs token x by m = ReLU(sigmoid(w.x / temperature + bias) - theta) for
    theta = sigmoid(v.b + c), with the budget token b as the block finds it and its own w, v and c.
    """

    def __init__(self, depth: int, width: int, settings: GateSettings) -> None:
        """Create the gates.

        Args:
            depth: number of blocks.
            width: of a token.
            settings: bias and temperature.
        """
        super().__init__()
        self.budget = nn.Parameter(torch.empty(2, width))
        self.weight = nn.Parameter(torch.empty(depth, width))
        self.threshold = nn.ModuleList(nn.Linear(width, 1) for _ in range(depth))
        # At first every token is kept, with almost all its weight: a token that is dropped passes
        # no gradient to what could bring it back.
        nn.init.normal_(self.budget)
        nn.init.normal_(self.weight, std=_SMALL)
        for layer in self.threshold:
            assert isinstance(layer, nn.Linear)
            nn.init.normal_(layer.weight, std=_SMALL)
            nn.init.constant_(layer.bias, _LOW)
        self.settings = settings

    def tokens(self, budget: Tensor) -> Tensor:
        """The budget tokens: two learned vectors, mixed.

        Args:
            budget: [B], share of the tokens that may be kept, 0..1.

        Returns:
            [B, 1, width].
        """
        share = budget[:, None, None].to(self.budget.dtype)
        much, little = self.budget
        mixed: Tensor = share * much + (1 - share) * little
        return mixed

    def forward(self, layer: int, x: Tensor, budget: Tensor) -> Tensor:
        """Weigh tokens before a block.

        Args:
            layer: number of the block, from 0.
            x: [B, M, width].
            budget: [B, width], the budget token before the block.

        Returns:
            [B, M], 0..1; 0: to be dropped.
        """
        logits = x @ self.weight[layer] / self.settings.temperature + self.settings.bias
        threshold: Tensor = self.threshold[layer](budget)
        return (logits.sigmoid() - threshold.sigmoid()).relu()

    def flops(self, tokens: Sequence[int]) -> int:
        """FLOPs of the gates of one image, by the number of tokens that each of them weighs."""
        return 2 * self.weight.shape[1] * (sum(tokens) + len(tokens))


def gated(
    block: Block, x: Tensor, weights: Tensor, bias: Tensor | None, queries: int | None = None
) -> Tensor:
    """Transform weighed tokens: a light token says little, hears little and changes little.

    The weights scale the tokens, what the block's two norms make of them, and what attention gives
    them; norms alone would undo a scaled token. Weights of 1 leave the block as it is.

    Args:
        block: of the encoder.
        x: [B, M, width].
        weights: [B, M].
        bias: added to the scores of attention.
        queries: Q, how many of the first tokens to compute; all of them by default.

    Returns:
        [B, Q, width].
    """
    weights = weights[..., None]
    mixed = block.attention(block.norm_attention(weights * x) * weights, bias, False, queries)
    weights = weights[:, :queries]
    x = weights * (x[:, :queries] + mixed)
    return x + block.mlp(block.norm_mlp(x) * weights)  # type: ignore[no-any-return]
