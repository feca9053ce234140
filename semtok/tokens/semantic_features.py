"""Semantic tokens whose features are those of a frozen backbone, pooled over each mask.

As `semantic`, but of a mask's pixels nothing is kept: a token holds the mean of what a CLIP, SigLIP
or DINOv2 says of the patches that the mask covers, each weighted by how much of it is covered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semtok.errors import SemtokError
from semtok.params import Count, Limit
from semtok.tables import TableSchema
from semtok.tokens import backbone, semantic
from semtok.tokens.coverage import coverage
from semtok.tokens.extraction import Extraction
from semtok.tokens.kept import best_masks
from semtok.tokens.rows import Regions, UInt8
from semtok.tokens.shards import region_features_schema

READS_EXTRACTION = True

#: Cells a side of the grid in a mask's box from which its centroid is computed.
_CELLS = 16


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: Count  # pixels a side that the image is decoded to; patches of the backbone tile it
    backbone: str  # folder or hub id (cached) of a CLIP, SigLIP or DINOv2 of transformers
    max_masks: Count  # the masks of an image with the highest scores are kept (kept.py)
    max_relations: Limit  # the relations of an image with the highest scores are kept
    neighbours: Limit  # K nearest masks that each mask knows


def schema(settings: Settings) -> TableSchema:
    """The shards' schema.

    Raises:
        SemtokError: there is no such backbone, or its patches do not tile the image.
    """
    model = backbone.settings_of(settings.backbone)
    if settings.image_size % model.patch_size:
        raise SemtokError(
            f"image_size: patches of {model.patch_size} pixels, the backbone's, do not tile "
            f"{settings.image_size}; take a multiple of them"
        )
    return region_features_schema(model.hidden_size, settings.neighbours)


def located(settings: Settings, project: Path) -> Settings:
    """The settings with the backbone's folder in place of its name.

    Raises:
        SemtokError: there is no such backbone.
    """
    return replace(settings, backbone=str(backbone.located(settings.backbone, project)))


def identity(settings: Settings) -> str:
    """What the token sets depend on besides images, extraction and settings: the weights."""
    return backbone.load(settings.backbone).identity


def cost(settings: Settings) -> dict[str, float]:
    """What the backbone takes, as `cost.hand_down` writes it."""
    return backbone.load(settings.backbone).cost(settings.image_size)


def tokenize(
    images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Settings
) -> list[Regions]:
    """Turn the masks and relations of some images into token sets.

    Args:
        images: B times [S, S, 4] uint8 RGB and 255, at training size.
        extractions: what was found in each: at least one mask.
        settings: of this tokenizer.
    """
    model = backbone.load(settings.backbone)
    geometric = semantic.Settings(
        settings.image_size,
        _CELLS,
        settings.max_masks,
        settings.max_relations,
        settings.neighbours,
    )
    token_sets = semantic.tokenize(images, extractions, geometric)
    return [
        replace(each, features=pooled(model.patches(image[..., :3]), found, settings.max_masks))
        for each, image, found in zip(token_sets, images, extractions, strict=True)
    ]


def pooled(patches: NDArray[np.float32], found: Extraction, max_masks: int) -> NDArray[np.float16]:
    """The mean of an image's patches over each mask, weighted by exact coverage.

    Args:
        patches: [c, c, D].
        found: the image's masks.
        max_masks: how many are kept.

    Returns:
        [R, D], in the order of `best_masks`.
    """
    kept, cells = best_masks(found, max_masks), len(patches)
    whole = np.tile([0, 0, found.width, found.height], (len(kept), 1))
    heights = np.full(len(kept), found.height)
    share = coverage(found.runs.take(kept), whole, heights, cells).reshape(len(kept), -1)
    weights = share / share.sum(axis=1, keepdims=True)
    means = weights @ patches.reshape(cells**2, -1).astype(np.float64)
    return np.asarray(means, np.float16)
