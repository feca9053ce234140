"""Token sets as arrays: of one image as tokenizers return them, of many as shards hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

UInt8: TypeAlias = NDArray[np.uint8]
Int: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Regions:
    """The token set of one image as regions and the relations among them.

    Attributes:
        features: [R, k*k*4] uint8, per region k x k pixels of RGB times coverage, and coverage.
        geometry: [R, 5] float32, cx, cy, w, h, area, relative to the image (0..1).
        neighbours: [R, K] int16, indices of the regions with the nearest centroids, -1 = none.
        edge_ends: [E, 2] int16, indices of each relation's subject and object.
        edge_predicate: E names.
    """

    features: UInt8
    geometry: NDArray[np.float32]
    neighbours: NDArray[np.int16]
    edge_ends: NDArray[np.int16]
    edge_predicate: tuple[str, ...]


@dataclass(frozen=True)
class PixelRows:
    """Images at training size: `image_ids` [B] int64, `pixels` [B, S, S, 3] uint8 RGB."""

    image_ids: Int
    pixels: UInt8


@dataclass(frozen=True)
class RegionRows:
    """The regions and relations of B images, one behind the other (columns as in `Regions`).

    Attributes:
        image_ids: [B] int64.
        region_counts: [B] int64, regions of each image (at least 1); they sum to R.
        features: [R, k*k*4] uint8.
        geometry: [R, 5] float32.
        neighbours: [R, K] int16, indices within the image.
        edge_counts: [B] int64, relations of each image; they sum to E.
        edge_ends: [E, 2] int16, indices within the image.
        edge_predicate: [E] int64, 0 = unknown, i = the i-th name of the vocabulary.
    """

    image_ids: Int
    region_counts: Int
    features: UInt8
    geometry: NDArray[np.float32]
    neighbours: NDArray[np.int16]
    edge_counts: Int
    edge_ends: NDArray[np.int16]
    edge_predicate: Int


#: What a tokenizer makes of one image: pixels [S, S, 3] or regions.
TokenSet: TypeAlias = UInt8 | Regions
Rows: TypeAlias = PixelRows | RegionRows


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
    regions = [each for each in token_sets if isinstance(each, Regions)]
    if not regions:
        return PixelRows(
            ids, np.stack([each for each in token_sets if isinstance(each, np.ndarray)])
        )
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
