"""What a model makes of each token of an image, and where in the image the token is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench.contestant import Contestant
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.patch_tokens import PatchTokens, last_block
from semtok.tokens.rows import RegionRows, Rows, SuperpixelRows
from semtok.train.checkpoint import Checkpoint

#: Of the last block's attention.
Features = Literal["keys", "queries", "values"]

#: Tokenizers whose tokens lie side by side in the image and cover it.
_SIDE_BY_SIDE = ("grid", "grid_mask_map", "grid_relations", "superpixel")


@dataclass(frozen=True)
class TokenMap:
    """The N tokens of an image.

    Attributes:
        features: [N, width], heads side by side.
        owners: [h, w] int64, 0..N-1, the token of each cell of a grid that is stretched over the
            image: a cell is a patch, or of superpixels a pixel at training size.
    """

    features: Tensor
    owners: NDArray[np.int64]


def refusal(contestant: Contestant) -> str:
    """Why a variant has no token maps; empty where it has (`of_rows`)."""
    if contestant.scheme not in _SIDE_BY_SIDE:
        return f"tokens of the tokenizer {contestant.scheme} do not lie side by side in the image"
    if contestant.encoder != "tokens":
        return f"tokens do not reach the last block of the encoder {contestant.encoder} one by one"
    return "its gates keep some tokens from the last block" if contestant.gates else ""


def of_patches(tokens: PatchTokens, features: Features) -> TokenMap:
    """The first image's patches."""
    found: Tensor = getattr(tokens, features)[0]
    return TokenMap(found, np.arange(len(found)).reshape(tokens.rows, tokens.columns))


def of_rows(trained: Checkpoint, rows: Rows, features: Features) -> list[TokenMap] | None:
    """What a training of a variant makes of some token sets.

    Args:
        trained: the training.
        rows: B images, of its tokenizer.
        features: which ones.

    Returns:
        One an image; None where its tokens do not cover the image one beside the other (masks and
        relations), or do not reach the last block one by one (gates, other encoders).
    """
    encoder = trained.model.vision
    if isinstance(rows, RegionRows) or type(encoder) is not VisualTokenEncoder:
        return None
    batch = trained.collate(rows).to(trained.model.log_scale.device)
    with torch.inference_mode():
        found = last_block(encoder, batch)[features][:, encoder.leading :]
    if isinstance(rows, SuperpixelRows):
        cut = zip(found, batch.valid, rows.owners, strict=True)
        return [TokenMap(each[valid], owners.astype(np.int64)) for each, valid, owners in cut]
    patches = trained.model.config.vision.patches
    assert patches is not None, "a variant of pixels has patches"
    side = round(patches**0.5)
    grid = np.arange(patches).reshape(side, side)
    return [TokenMap(each[:patches], grid) for each in found]
