"""Semantic tokens: one tangible token per mask, and the relations among them (arXiv 2405.16401).

A token holds pixels and geometry, never a category: a model that is told what it should see
would win by its labels.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.tables import TableSchema
from semtok.tokens.coverage import coverage
from semtok.tokens.crops import crops
from semtok.tokens.extraction import Extraction
from semtok.tokens.rows import Int, Regions, UInt8
from semtok.tokens.shards import regions_schema

READS_EXTRACTION = True


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: int  # pixels a side that the image is decoded to
    crop_size: int  # pixels a side that a mask's box is resampled to
    max_masks: int  # the largest masks of an image are kept
    max_relations: int  # the relations of an image with the highest scores are kept
    neighbours: int  # K nearest masks that each mask knows


def schema(settings: Settings) -> TableSchema:
    """The shards' schema."""
    return regions_schema(settings.crop_size, settings.neighbours)


def tokenize(pixels: UInt8, extraction: Extraction, settings: Settings) -> Regions:
    """Turn the masks and relations of one image into a token set.

    Regions come largest first; relations by falling score.

    Args:
        pixels: [S, S, 3] uint8 RGB, the image at training size.
        extraction: what was found in it: at least one mask.
        settings: of this tokenizer.
    """
    found, size = extraction, settings.crop_size
    kept = np.argsort(-found.areas, kind="stable")[: settings.max_masks]
    boxes = found.boxes[kept]
    relative = boxes / np.array([found.width, found.height, found.width, found.height])
    share = coverage(found.runs, found.boxes, found.height, found.width, size)[kept]
    # The opaque fourth channel turns into the coverage.
    opaque = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA), np.uint8)
    features = crops(opaque, relative, size).reshape(len(kept), size, -1) * np.repeat(
        share, 4, axis=2
    )
    features += 0.5
    geometry = np.empty((len(kept), 5), np.float32)
    geometry[:, :2] = relative[:, :2] + relative[:, 2:] / 2
    geometry[:, 2:4] = relative[:, 2:]
    geometry[:, 4] = found.areas[kept] / (found.height * found.width)
    ends, predicates = _relations(found, kept, settings.max_relations)
    return Regions(
        features=features.astype(np.uint8).reshape(len(kept), -1),
        geometry=geometry,
        neighbours=_nearest(_centroids(share, relative), settings.neighbours),
        edge_ends=ends,
        edge_predicate=predicates,
    )


def _centroids(share: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroids [R, 2] of masks, relative to the image, from their coverage [R, k, k]."""
    moments = share.reshape(len(share), -1) @ _moments(share.shape[1])
    return np.asarray(boxes[:, :2] + boxes[:, 2:] * moments[:, :2] / moments[:, 2:])


@cache
def _moments(size: int) -> NDArray[np.float64]:
    """Weights [k*k, 3] of cells in the sums of x, of y (both 0..1) and of everything."""
    cell = (np.arange(size) + 0.5) / size
    return np.stack([np.tile(cell, size), np.repeat(cell, size), np.ones(size**2)], axis=1)


def _nearest(centroids: NDArray[np.float64], count: int) -> NDArray[np.int16]:
    """Indices [R, K] of the nearest other centroids, nearest first, padded with -1."""
    regions = len(centroids)
    x, y = centroids.T
    distances = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    distances.flat[:: regions + 1] = np.inf
    known = min(count, regions - 1)
    nearest = np.full((regions, count), -1, np.int16)
    nearest[:, :known] = np.argsort(distances, axis=1, kind="stable")[:, :known]
    return nearest


def _relations(
    found: Extraction, kept: Int, most: int
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """The best relations among the kept masks: ends [E, 2] as positions in `kept`, predicates."""
    if not len(found.relations):
        return np.empty((0, 2), np.int16), ()
    position = np.full(found.mask_id.max() + 2, -1)
    position[found.mask_id[kept]] = np.arange(len(kept))
    # The last place stands for ids that no mask has.
    ends = position[np.minimum(found.relations, len(position) - 1)]
    whole = np.flatnonzero((ends >= 0).all(axis=1))
    best = whole[np.argsort(-found.scores[whole], kind="stable")[:most]]
    return ends[best].astype(np.int16), tuple(found.predicates[best])
