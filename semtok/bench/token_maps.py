"""What a model makes of each token of an image, and where in the image the token is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench.contestant import OTHERS, Contestant
from semtok.errors import SemtokError
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
    """Why a model has no token maps; empty where it has."""
    if contestant.scheme not in _SIDE_BY_SIDE:
        return f"tokens of the tokenizer {contestant.scheme} do not lie side by side in the image"
    if contestant.encoder not in ("tokens", *OTHERS):
        return f"the encoder {contestant.encoder} does not tell what becomes of each token"
    return "its gates keep some tokens from the last block" if contestant.gates else ""


def finite(maps: Iterable[TokenMap], name: str) -> Iterator[TokenMap]:
    """The same maps, of the model of that name.

    Raises:
        SemtokError: its features are not finite; what is drawn of such would look like any other.
    """
    for each in maps:
        if not bool(each.features.isfinite().all()):
            raise SemtokError(
                f"{name}: makes features of tokens that are not finite; its weights are damaged or "
                "its training diverged"
            )
        yield each


def of_patches(tokens: PatchTokens, features: Features) -> TokenMap:
    """The first image's patches."""
    return of_grid(getattr(tokens, features), tokens.rows)[0]


def of_grid(features: Tensor, rows: int) -> list[TokenMap]:
    """The patches of I images in reading order, [I, rows x columns, width]."""
    owners = np.arange(features.shape[1]).reshape(rows, -1)
    return [TokenMap(each, owners) for each in features]


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
    return of_grid(found[:, :patches], side)
