"""Superpixel tokens: regions that an image falls into by itself (SPiT, arXiv 2408.07680).

A token holds a region's pixels and where they lie, of which the position histogram is all that a
model is told of places, and if asked for, how their brightness changes. No masks are read: the
partition comes from the pixels alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval

from semtok.errors import SemtokError
from semtok.params import Count, Share
from semtok.tables import TableSchema
from semtok.tokens.extraction import Extraction
from semtok.tokens.rows import HISTOGRAM_UNIT, Superpixels, UInt8
from semtok.tokens.shards import superpixels_schema
from semtok.tokens.superpixel.hierarchy import Partition, superpixels
from semtok.tokens.superpixel.regions import (
    BINS,
    SIGMA_WITH_GRADIENTS,
    gradient_histograms,
    position_histograms,
    region_pixels,
)
from semtok.tokens.superpixel.voronoi import voronoi

READS_EXTRACTION = False

#: Regions that an owner's 16 bits can tell apart.
_MOST = 2**16


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: Count  # pixels a side that the image is decoded to
    crop_size: Annotated[int, Ge(2)] = 16  # pixels a side that a region's box is resampled to
    levels: Count = 4  # how often pixels merge; each one leaves about a quarter of the regions
    compactness: Share = 0.0  # what roundness counts for beside likeness; 0.1 in SPiT's code
    partition: Literal["hierarchy", "voronoi"] = "hierarchy"  # voronoi: the control, as many cells
    gradients: bool = False  # histograms of gradients behind those of positions; both kernels wider
    final_threshold: Annotated[float, Interval(ge=0, le=4)] = 0.0  # at last, merge what is so alike


def schema(settings: Settings) -> TableSchema:
    """The shards' schema."""
    histograms = 2 if settings.gradients else 1
    return superpixels_schema(settings.image_size, settings.crop_size, histograms * BINS**2)


def tokenize(
    images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Settings
) -> list[Superpixels]:
    """Cut some images into superpixels, in the order of their first pixels.

    Args:
        images: B times [S, S, 4] uint8 RGB and 255, at training size.
        extractions: none are read.
        settings: of this tokenizer.

    Raises:
        SemtokError: an image has more regions than shards can tell apart.
    """
    pixels = torch.from_numpy(np.stack([image[..., :3] for image in images]))
    partition = superpixels(pixels, settings.levels, settings.compactness, settings.final_threshold)
    if settings.partition == "voronoi":
        partition = voronoi(pixels, partition.counts)
    if (most := int(partition.counts.max())) > _MOST:
        raise SemtokError(f"levels: {settings.levels} leave {most} regions of an image; raise it")
    features = region_pixels(pixels, partition, settings.crop_size).numpy()
    geometry = (_histograms(pixels, partition, settings) / HISTOGRAM_UNIT).round()
    first = (partition.counts.cumsum(0) - partition.counts)[:, None, None]
    owners = (partition.labels - first).numpy().astype(np.uint16)
    cuts = partition.counts.cumsum(0)[:-1].numpy()
    columns = np.split(features, cuts), np.split(geometry.numpy().astype(np.uint16), cuts)
    return [Superpixels(*each) for each in zip(owners, *columns, strict=True)]


def _histograms(pixels: torch.Tensor, partition: Partition, settings: Settings) -> torch.Tensor:
    """[R, 256], with gradients [R, 512]."""
    if not settings.gradients:
        return position_histograms(partition)
    return torch.cat(
        [
            position_histograms(partition, SIGMA_WITH_GRADIENTS),
            gradient_histograms(pixels, partition, SIGMA_WITH_GRADIENTS),
        ],
        dim=1,
    )
