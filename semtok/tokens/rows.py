"""Token sets as arrays: of one image as tokenizers return them, of many as shards hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

UInt8: TypeAlias = NDArray[np.uint8]
Features: TypeAlias = UInt8 | NDArray[np.float16]
Int: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Regions:
    """The token set of one image as regions and the relations among them.

    Attributes:
        features: [R, D] uint8. Where a region is a token, D = k*k*4: k x k pixels of RGB times
            coverage, and coverage. Where the tokens are patches, D = c*c: how much (0..255) of each
            cell of the image the region covers, for c cells a side. Or [R, D] float16, what a
            frozen backbone says of the region.
        geometry: [R, 5] float32, cx, cy, w, h, area, relative to the image (0..1).
        neighbours: [R, K] int16, indices of the regions with the nearest centroids, -1 = none.
        edge_ends: [E, 2] int16, indices of each relation's subject and object.
        edge_predicate: E names.
    """

    features: Features
    geometry: NDArray[np.float32]
    neighbours: NDArray[np.int16]
    edge_ends: NDArray[np.int16]
    edge_predicate: tuple[str, ...]


@dataclass(frozen=True)
class RelatedPixels:
    """The token set of one image whose patches its `regions` relate: `pixels` [S, S, C] uint8."""

    pixels: UInt8
    regions: Regions


@dataclass(frozen=True)
class Superpixels:
    """The token set of one image that is cut into regions, each pixel in one.

    Attributes:
        owners: [S, S] uint16, the region of each pixel.
        features: [R, k*k*4] uint8, as of `Regions`.
        geometry: [R, G] uint16, a histogram of positions, and behind it perhaps one of gradients,
            in units of `HISTOGRAM_UNIT`.
    """

    owners: NDArray[np.uint16]
    features: UInt8
    geometry: NDArray[np.uint16]


@dataclass(frozen=True)
class PixelRows:
    """Images at training size.

    Attributes:
        image_ids: [B] int64.
        pixels: [B, S, S, C] uint8: RGB, and in a fourth channel the mask map, where there is one.
    """

    image_ids: Int
    pixels: UInt8


@dataclass(frozen=True)
class RegionRows:
    """The regions and relations of B images, one behind the other (columns as in `Regions`).

    Attributes:
        image_ids: [B] int64.
        region_counts: [B] int64, regions of each image (at least 1); they sum to R.
        features: [R, D] uint8 or float16.
        geometry: [R, 5] float32.
        neighbours: [R, K] int16, indices within the image.
        edge_counts: [B] int64, relations of each image; they sum to E.
        edge_ends: [E, 2] int16, indices within the image.
        edge_predicate: [E] int64, 0 = unknown, i = the i-th name of the vocabulary.
    """

    image_ids: Int
    region_counts: Int
    features: Features
    geometry: NDArray[np.float32]
    neighbours: NDArray[np.int16]
    edge_counts: Int
    edge_ends: NDArray[np.int16]
    edge_predicate: Int


@dataclass(frozen=True)
class RelatedPixelRows:
    """The `pixels` [B, S, S, C] uint8 of B images, and the `regions` that relate their patches."""

    pixels: UInt8
    regions: RegionRows

    @property
    def image_ids(self) -> Int:
        """[B] int64."""
        return self.regions.image_ids


@dataclass(frozen=True)
class SuperpixelRows:
    """The superpixels of B images, one image's behind the other's (columns as in `Superpixels`).

    Attributes:
        image_ids: [B] int64.
        owners: [B, S, S] uint16, numbers within the image.
        region_counts: [B] int64, regions of each image (at least 1); they sum to R.
        features: [R, D] uint8.
        geometry: [R, G] uint16.
    """

    image_ids: Int
    owners: NDArray[np.uint16]
    region_counts: Int
    features: UInt8
    geometry: NDArray[np.uint16]


#: What a tokenizer makes of one image: pixels [S, S, C], regions, both, or superpixels.
TokenSet: TypeAlias = UInt8 | Regions | RelatedPixels | Superpixels
Rows: TypeAlias = PixelRows | RegionRows | RelatedPixelRows | SuperpixelRows

#: What 1 stands for in a stored histogram, whose values are 0..4.
HISTOGRAM_UNIT = 2.0**-13


def pack(
    image_ids: Sequence[int], token_sets: Sequence[TokenSet], predicates: Sequence[str]
) -> Rows:
    """Join the token sets of several images (at least one), all of one family.

    Args:
        image_ids: their ids.
        token_sets: what one tokenizer returned for each.
        predicates: the vocabulary; a name that it lacks becomes id 0.
    """
    ids = np.asarray(image_ids, np.int64)
    if cut := [each for each in token_sets if isinstance(each, Superpixels)]:
        return _pack_superpixels(ids, cut)
    pixels = [each for each in map(_pixels, token_sets) if each is not None]
    regions = [each for each in map(_regions, token_sets) if each is not None]
    if not regions:
        return PixelRows(ids, np.stack(pixels))
    rows = _pack_regions(ids, regions, predicates)
    return RelatedPixelRows(np.stack(pixels), rows) if pixels else rows


def predicate_names(token_sets: Sequence[TokenSet]) -> list[str]:
    """The predicates that occur in some token sets, sorted."""
    regions = (each for each in map(_regions, token_sets) if each is not None)
    return sorted({name for each in regions for name in each.edge_predicate})


def _pixels(token_set: TokenSet) -> UInt8 | None:
    match token_set:
        case RelatedPixels(pixels, _):
            return pixels
        case Regions() | Superpixels():
            return None
    return token_set


def _regions(token_set: TokenSet) -> Regions | None:
    match token_set:
        case RelatedPixels(_, regions):
            return regions
        case Regions():
            return token_set
    return None


def _pack_superpixels(ids: Int, cut: Sequence[Superpixels]) -> SuperpixelRows:
    return SuperpixelRows(
        image_ids=ids,
        owners=np.stack([each.owners for each in cut]),
        region_counts=np.array([len(each.features) for each in cut], np.int64),
        features=np.concatenate([each.features for each in cut]),
        geometry=np.concatenate([each.geometry for each in cut]),
    )


def _pack_regions(ids: Int, regions: Sequence[Regions], predicates: Sequence[str]) -> RegionRows:
    known = {name: number for number, name in enumerate(predicates, start=1)}
    names = (name for each in regions for name in each.edge_predicate)
    return RegionRows(
        image_ids=ids,
        region_counts=np.array([len(each.features) for each in regions], np.int64),
        features=np.concatenate([each.features for each in regions]),
        geometry=np.concatenate([each.geometry for each in regions]),
        neighbours=np.concatenate([each.neighbours for each in regions]),
        edge_counts=np.array([len(each.edge_ends) for each in regions], np.int64),
        edge_ends=np.concatenate([each.edge_ends for each in regions]),
        edge_predicate=np.array([known.get(name, 0) for name in names], np.int64),
    )
