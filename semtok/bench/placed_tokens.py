"""Tokens in any place, as the artifact report reads them: what becomes of each, and where it is.

These are superpixels and regions, and whatever tokens gates leave.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.gated_tokens import last_gated_block
from semtok.models.geometry import centres
from semtok.models.patch_tokens import last_block
from semtok.tokens.batch import INTANGIBLE, PATCH, TokenBatch
from semtok.tokens.loader import in_order
from semtok.tokens.rows import Features, RegionRows, Rows, SuperpixelRows
from semtok.tokens.shards import TokenShards
from semtok.train.checkpoint import Checkpoint

#: What a token shows, as probes are asked about it: `pixels` of a patch; else `colours`, their mean
#: over what it covers, or `features` of a frozen backbone, of unit length; or `nothing`.
Shown = Literal["pixels", "colours", "features", "nothing"]

#: Points a side of an image at which it is asked whose they are.
POINTS = 64

_BATCH = 32


@dataclass(frozen=True)
class PlacedTokens:
    """The tokens of B images, padded to N.

    Attributes:
        rows: the images.
        patch_size: pixels a side of a patch, of rows of pixels.
        there: [B, N] bool, False for padding, for intangible tokens, which have no place, and for
            what gates dropped before the last block.
        embedded: [B, N, width], what a token shows, embedded, before its geometry is added.
        output: [B, N, width] of the last block, before the final norm.
        middles: [B, N, 2] x and y, relative to the image: of superpixels the mean of their pixels,
            of others the middle of their box.
        shown: [B, N, D] of kind `shows`, 0..1 where it is colours; D is 0 for `nothing`.
        shows: what `shown` is.
        owners: [B, POINTS, POINTS] int64, the token at each point of an image, the smallest where
            several are; -1: none.
    """

    rows: Rows
    patch_size: int | None
    there: Tensor
    embedded: Tensor
    output: Tensor
    middles: Tensor
    shown: Tensor
    shows: Shown
    owners: NDArray[np.int64]


@torch.inference_mode()
def read(trained: Checkpoint, shards: TokenShards, images: int) -> Iterator[PlacedTokens]:
    """Read the first images of some token shards.

    Args:
        trained: whose encoder is our own, with gates or without.
        shards: of its tokenizer.
        images: how many, at most.
    """
    encoder = trained.model.vision
    assert isinstance(encoder, VisualTokenEncoder)
    for rows in in_order(shards, _BATCH, images):
        batch = trained.collate(rows).to(trained.model.log_scale.device)
        shown, shows = _shown(batch, trained.collate.features == "all")
        there = batch.valid & (batch.kind != INTANGIBLE)
        if isinstance(encoder, AdaptiveEncoder):
            output, left = last_gated_block(encoder, batch)
            there = there & left
        else:
            output = last_block(encoder, batch)["output"][:, encoder.leading :]
        yield PlacedTokens(
            rows=rows,
            patch_size=trained.collate.patch_size,
            there=there.cpu(),
            embedded=encoder.embedding.pixels(batch.features).cpu(),
            output=output.cpu(),
            middles=centres(batch.geometry).cpu(),
            shown=shown.cpu(),
            shows=shows,
            owners=_owners(rows, trained.collate.patch_size),
        )


def _shown(batch: TokenBatch, all_of_it: bool) -> tuple[Tensor, Shown]:
    if not all_of_it:
        return batch.features.new_zeros((*batch.kind.shape, 0), dtype=torch.float32), "nothing"
    if batch.features.is_floating_point():
        return F.normalize(batch.features.float(), dim=-1), "features"
    if int(batch.kind[0, 0]) == PATCH:
        return batch.features.float() / 255, "pixels"
    cells = batch.features.float().view(*batch.kind.shape, -1, 4).sum(dim=-2)
    # Colours were multiplied by coverage.
    return cells[..., :3] / cells[..., 3:].clamp(min=1), "colours"


def _owners(rows: Rows, patch_size: int | None) -> NDArray[np.int64]:
    if isinstance(rows, SuperpixelRows):
        at = _cells(rows.owners.shape[1])
        return rows.owners[:, at[:, None], at].astype(np.int64)
    if not isinstance(rows, RegionRows):
        assert patch_size is not None, "pixels are cut into patches"
        side = rows.pixels.shape[1] // patch_size
        at = _cells(side)
        return np.tile(at[:, None] * side + at, (len(rows.image_ids), 1, 1))
    owners = np.full((len(rows.image_ids), POINTS, POINTS), -1)
    ends = np.cumsum(rows.region_counts)
    for image, (count, end) in enumerate(zip(rows.region_counts, ends, strict=True)):
        areas = rows.geometry[end - count : end, 4]
        for number in np.argsort(-areas, kind="stable").tolist():
            row = end - count + number
            owners[image][_inside(rows.features[row], rows.geometry[row])] = number
    return owners


def _cells(side: int) -> NDArray[np.int64]:
    """Which of `side` cells each point along a side of the image is in."""
    return ((np.arange(POINTS) + 0.5) * side / POINTS).astype(np.int64)


def _inside(features: Features, geometry: NDArray[np.float32]) -> NDArray[np.bool_]:
    """[POINTS, POINTS], what a mask covers at least half; of a backbone's features its box."""
    if features.dtype == np.uint8:
        side = round((len(features) / 4) ** 0.5)
        covered = features.reshape(side, side, 4)[..., 3] >= 128
    else:
        side, covered = 1, np.ones((1, 1), bool)
    x, y, width, height = geometry[:4].astype(np.float64)
    points = (np.arange(POINTS) + 0.5) / POINTS
    across, down = (
        np.floor((points - middle + extent / 2) / extent * side).astype(np.int64)
        for middle, extent in ((x, width), (y, height))
    )
    found = np.zeros((POINTS, POINTS), bool)
    rows, columns = (np.flatnonzero((each >= 0) & (each < side)) for each in (down, across))
    found[np.ix_(rows, columns)] = covered[np.ix_(down[rows], across[columns])]
    return found
