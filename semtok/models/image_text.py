"""The image-text model: one class for every variant."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.clip_vision import ClipVisionEncoder
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.secvit_encoder import SecViTEncoder
from semtok.models.text import TextConfig, text_encoder
from semtok.params import EncoderSettings
from semtok.parsing import parse
from semtok.tokens.batch import TokenBatch

_INITIAL_TEMPERATURE = 0.07
_LARGEST_SCALE = 100.0


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build an `ImageTextModel`; converts to and from JSON."""

    encoder: EncoderSettings
    vision: VisionConfig
    text: TextConfig

    def as_json(self) -> dict[str, Any]:
        """A mapping for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Any, where: str) -> "ModelConfig":
        """The inverse of `as_json`.

        Args:
            raw: what `json.loads` gave.
            where: names the source in errors.

        Raises:
            SemtokError: a key is unknown, missing or of a wrong type.
        """
        return parse(cls, raw, where)


class ImageTextModel(nn.Module):
    """Images, as token sets, and captions in one space (CLIP, arXiv 2103.00020).

    Attributes:
        config: its shape.
        log_scale: natural logarithm of the factor on cosine similarities (an inverse temperature).
    """

    def __init__(self, config: ModelConfig) -> None:
        """Create the model, with random weights.

        Raises:
            SemtokError: a CLIP text tower of another dimension, or CLIP without transformers.
        """
        super().__init__()
        self.config = config
        # Text first: with one seed every variant starts from the same text side and blocks.
        self.text = text_encoder(config.text, config.encoder.embedding)
        encoder = _ENCODERS.get(config.vision.encoder, SecViTEncoder)
        if config.vision.gates is not None:
            encoder = AdaptiveEncoder
        self.vision = encoder(config.vision, config.encoder)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / _INITIAL_TEMPERATURE)))

    def encode_image(self, batch: TokenBatch, budget: Tensor | None = None) -> Tensor:
        """Encode the token sets of B images: [B, embedding] of unit length.

        Args:
            batch: the token sets.
            budget: [B], share of each image's tokens that may be kept; of a model with gates alone.
        """
        return self.vision(batch) if budget is None else self.vision(batch, budget)  # type: ignore[no-any-return]

    def encode_text(self, ids: Tensor) -> Tensor:
        """Encode captions, [B, L] int64 of `TextTokenizer.encode`: [B, embedding], unit length."""
        return self.text(ids)  # type: ignore[no-any-return]

    @property
    def logit_scale(self) -> Tensor:
        """The factor on cosine similarities, 0-d: 1/0.07 at first."""
        return self.log_scale.exp()

    @torch.no_grad()
    def clamp_logit_scale(self) -> None:
        """Keep the factor at 100 or less: call it after each optimiser step.

        A clamp in `logit_scale` itself would pass no gradient beyond the limit, and the factor
        could never come back.
        """
        self.log_scale.clamp_(max=math.log(_LARGEST_SCALE))

    def parameters_by_role(self) -> dict[str, int]:
        """Numbers of parameters, which sum to all of them.

        Returns:
            blocks: transformer blocks, final norm and projection, equal for all variants;
            embeddings: of tokens, and the gates that weigh them; bias: tables of the additive
            bias; text: the text side, frozen or not; scale: the one of `logit_scale`.
        """
        blocks, bias = _size(self.vision.shared), _size(self.vision.bias)
        return {
            "blocks": blocks,
            "embeddings": _size(self.vision) - blocks - bias,
            "bias": bias,
            "text": _size(self.text),
            "scale": self.log_scale.numel(),
        }


#: By the setting `encoder`; every other one is a SECViT.
_ENCODERS: dict[str, type[VisualTokenEncoder | ClipVisionEncoder | SecViTEncoder]] = {
    "tokens": VisualTokenEncoder,
    "clip_vision": ClipVisionEncoder,
}


def _size(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())
