"""SECViT as the encoder of a variant: patches are joined to the picture, which it cuts itself."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from semtok.models.encoder import VisionConfig
from semtok.models.pictures import assembled
from semtok.models.secvit import FEATURES, SHAPES, SecViT
from semtok.params import EncoderSettings
from semtok.tokens.batch import TokenBatch

_CHANNELS = 3


class SecViTEncoder(nn.Module):
    """Patches -> one vector an image, as `VisualTokenEncoder`, whose blocks it does not share."""

    def __init__(self, vision: VisionConfig, encoder: EncoderSettings) -> None:
        """Create the encoder.

        Args:
            vision: patches of RGB, and which backbone.
            encoder: of which the embedding's dimension alone counts.
        """
        super().__init__()
        assert vision.patches is not None
        self.backbone = SecViT(SHAPES[vision.encoder])
        self.projection = nn.Linear(FEATURES, encoder.embedding, bias=False)
        nn.init.normal_(self.projection.weight, std=FEATURES**-0.5)
        self._side = math.isqrt(vision.patches * vision.feature_dim // _CHANNELS)

    @property
    def shared(self) -> nn.ModuleList:
        """What other encoders call blocks: stages, head and projection. No other variant's."""
        return nn.ModuleList([self.backbone.stages, self.backbone.head, self.projection])

    @property
    def embedding(self) -> nn.Module:
        """The stem."""
        return self.backbone.stem

    @property
    def bias(self) -> nn.ModuleList:
        """It has no table of biases."""
        return nn.ModuleList()

    def forward(self, batch: TokenBatch) -> Tensor:
        """Encode a batch of B images: [B, embedding], unit length."""
        return self.summarise(*self.contextualise(batch))

    def contextualise(self, batch: TokenBatch) -> tuple[Tensor, None]:
        """Describe each of B images: [B, S/32 * S/32, FEATURES]; no [CLS], no padding."""
        pictures = assembled(batch.features, self.projection.weight.dtype)
        return self.backbone(pictures).flatten(1, 2), None

    def summarise(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """Read the mean of what `contextualise` returned: [B, embedding], unit length."""
        return F.normalize(self.projection(x.mean(dim=1)), dim=-1)

    def flops(self, tokens: int, intangible: int = 0) -> int:
        """As `VisualTokenEncoder.flops`, convolutions counted."""
        return self.backbone.flops(self._side) + 2 * self.projection.weight.numel()
