"""The reference: `CLIPVisionModel` of transformers, of the shape of our own encoder.

Somebody else's vision transformer in the same loop: `vit` is to be told apart from it by nothing
but chance. Its blocks, final norm and projection have the parameters of ours, one by one, and with
the same weights they compute the same (tested). What is its own:

- it normalises embedded tokens once more before the first block (`pre_layrnorm`);
- [CLS] has a position, which ours has not, while ours has a bias of the patch embedding and a kind;
- its initial weights are drawn by transformers, so that no seed gives both the same start;
- its last block computes all tokens, of which only [CLS] is read: more FLOPs, the same result.

Its activation is set to GELU, ours; CLIP's own weights were trained with an approximation of it.
"""

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from semtok.errors import SemtokError, installing
from semtok.models.encoder import VisionConfig
from semtok.models.pictures import assembled
from semtok.models.transformer import block_flops
from semtok.params import EncoderSettings
from semtok.tokens.batch import TokenBatch

_CHANNELS = 3


class ClipVisionEncoder(nn.Module):
    """Patches -> one vector an image, as `VisualTokenEncoder`."""

    def __init__(self, vision: VisionConfig, encoder: EncoderSettings) -> None:
        """Create the encoder, with the random weights of transformers.

        Args:
            vision: patches of RGB.
            encoder: the shape of the blocks.

        Raises:
            SemtokError: transformers is not installed.
        """
        super().__init__()
        assert vision.patches is not None
        side = math.isqrt(vision.patches)
        self._patch = math.isqrt(vision.feature_dim // _CHANNELS)
        clip = _transformers()
        self.tower = clip.CLIPVisionModel(
            clip.CLIPVisionConfig(
                hidden_size=encoder.width,
                intermediate_size=round(encoder.width * encoder.mlp_ratio),
                num_hidden_layers=encoder.depth,
                num_attention_heads=encoder.heads,
                image_size=side * self._patch,
                patch_size=self._patch,
                hidden_act="gelu",
            )
        )
        self.projection = nn.Linear(encoder.width, encoder.embedding, bias=False)
        nn.init.normal_(self.projection.weight, std=encoder.width**-0.5)
        self.settings = encoder

    @property
    def shared(self) -> nn.ModuleList:
        """As `VisualTokenEncoder.shared`."""
        return nn.ModuleList([self.tower.encoder, self.tower.post_layernorm, self.projection])

    @property
    def embedding(self) -> nn.ModuleList:
        """As `VisualTokenEncoder.embedding`."""
        return nn.ModuleList([self.tower.embeddings, self.tower.pre_layrnorm])

    @property
    def bias(self) -> nn.ModuleList:
        """It has no table of biases."""
        return nn.ModuleList()

    def forward(self, batch: TokenBatch) -> Tensor:
        """Encode a batch of B images: [B, embedding], unit length."""
        return self.summarise(*self.contextualise(batch))

    def contextualise(self, batch: TokenBatch) -> tuple[Tensor, None]:
        """Mix the N patches of each of B images: [B, N+1, width], [CLS] first; no padding."""
        pixels = assembled(batch.features, self.projection.weight.dtype)
        return self.tower(pixel_values=pixels).last_hidden_state, None

    def summarise(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """Read [CLS] of what `contextualise` returned: [B, embedding], unit length."""
        return F.normalize(self.projection(self.tower.post_layernorm(x[:, 0])), dim=-1)

    def flops(self, tokens: int, intangible: int = 0) -> int:
        """As `VisualTokenEncoder.flops`."""
        width, ratio, keys = self.settings.width, self.settings.mlp_ratio, tokens + 1
        return (
            2 * _CHANNELS * self._patch**2 * width * tokens
            + self.settings.depth * block_flops(width, ratio, queries=keys, keys=keys)
            + 2 * self.projection.weight.numel()
        )


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise SemtokError(
            f"encoder: clip_vision needs transformers; {installing('clip')}, or take the "
            "variant out of params.yaml"
        ) from None
    return transformers
