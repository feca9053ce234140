"""What the last block of an encoder with gates makes of each token that reaches it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.adaptive import AdaptiveEncoder, run
from semtok.tokens.batch import TokenBatch


@torch.no_grad()
def last_gated_block(encoder: AdaptiveEncoder, batch: TokenBatch) -> tuple[Tensor, Tensor]:
    """Compute the last block for all tokens, within a full budget.

    Args:
        encoder: of whose last block `run` computes [CLS] alone.
        batch: B images of N tokens, on its device.

    Returns:
        [B, N, width], before the final norm; and [B, N] bool, the tokens that the last gate leaves:
        of others the output means nothing.
    """
    block: Any = encoder.blocks[-1]
    read: dict[str, tuple[Any, ...]] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, given: tuple[Any, ...]) -> None:
            read[name] = given

        return hook

    watched = {"norm": block.norm_attention, "attention": block.attention}
    hooks = [each.register_forward_pre_hook(keep(name)) for name, each in watched.items()]
    training = encoder.training
    # In training dropped tokens are masked and not removed, so that all keep their place.
    encoder.train()
    try:
        weights = run(encoder, batch).weights[-1]
    finally:
        encoder.train(training)
        for each in hooks:
            each.remove()
    # As `gated`, of which the norm was given the weighed tokens.
    whole = F.pad(weights, (encoder.leading, 1), value=1.0)[..., None]
    weighed, (given, bias, *_) = read["norm"][0], read["attention"]
    x = weighed + whole * block.attention(given, bias)
    x = x + block.mlp(block.norm_mlp(x) * whole)
    return x[:, encoder.leading : -1], weights > 0
