"""Semantic tokens: one tangible token per mask, and the relations among them (arXiv 2405.16401).

A token holds pixels and geometry, never a category: a model that is told what it should see
would win by its labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from semtok.extract.rle import Runs, starts
from semtok.params import Count, Limit
from semtok.tables import TableSchema
from semtok.tokens.coverage import coverage
from semtok.tokens.crops import crops
from semtok.tokens.extraction import Extraction
from semtok.tokens.kept import best_masks, best_relations
from semtok.tokens.rows import Int, Regions, UInt8
from semtok.tokens.shards import regions_schema

READS_EXTRACTION = True


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: Count  # pixels a side that the image is decoded to
    crop_size: Count  # pixels a side that a mask's box is resampled to
    max_masks: Count  # the masks of an image with the highest scores are kept (kept.py)
    max_relations: Limit  # the relations of an image with the highest scores are kept
    neighbours: Limit  # K nearest masks that each mask knows


def schema(settings: Settings) -> TableSchema:
    """The shards' schema."""
    return regions_schema(settings.crop_size, settings.neighbours)


def tokenize(
    images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Settings
) -> list[Regions]:
    """Turn the masks and relations of some images into token sets.

    Regions come largest first, relations by falling score.

    Args:
        images: B times [S, S, 4] uint8 RGB and 255, at training size.
        extractions: what was found in each: at least one mask.
        settings: of this tokenizer.
    """
    kept = [best_masks(each, settings.max_masks) for each in extractions]
    counts = np.array([len(rows) for rows in kept])
    found = starts(np.array([len(each.areas) for each in extractions]))
    rows = np.concatenate(kept) + np.repeat(found[:-1], counts)
    sizes = np.array([(each.width, each.height) for each in extractions])
    sizes = np.repeat(sizes, np.diff(found), axis=0)
    boxes = np.concatenate([each.boxes for each in extractions])
    share = coverage(_runs(extractions), boxes, sizes[:, 1], settings.crop_size)[rows]
    relative = (boxes / np.tile(sizes, 2))[rows]
    areas = (np.concatenate([each.areas for each in extractions]) / sizes.prod(axis=1))[rows]
    features = _features(images, counts, relative, share)
    geometry = np.empty((len(rows), 5), np.float32)
    geometry[:, :2] = relative[:, :2] + relative[:, 2:] / 2
    geometry[:, 2:4] = relative[:, 2:]
    geometry[:, 4] = areas
    cuts = np.cumsum(counts)[:-1]
    columns = (np.split(each, cuts) for each in (features, geometry, _centroids(share, relative)))
    token_sets = []
    for each, chosen, feature, place, centroids in zip(extractions, kept, *columns, strict=True):
        nearest = _nearest(centroids, settings.neighbours)
        relations = best_relations(each, chosen, settings.max_relations)
        token_sets.append(Regions(feature, place, nearest, *relations))
    return token_sets


def _runs(extractions: Sequence[Extraction]) -> Runs:
    """The runs of all masks of all images."""
    runs = [each.runs for each in extractions]
    lengths = np.concatenate([np.diff(each.offsets) for each in runs])
    return Runs(np.concatenate([each.counts for each in runs]), starts(lengths))


def _features(
    images: Sequence[UInt8], counts: Int, boxes: NDArray[np.float64], share: NDArray[np.float64]
) -> UInt8:
    """Features [R, k*k*4]: RGB times coverage, and coverage."""
    # The fourth channel, 255 everywhere, turns into the coverage.
    features = crops(images, counts, boxes, share.shape[1]).reshape(*share.shape[:2], -1)
    features *= np.repeat(share, 4, axis=2)
    features += 0.5
    return features.astype(np.uint8).reshape(len(features), -1)


def _centroids(share: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroids [R, 2] of masks, relative to the image, from their coverage [R, k, k]."""
    moments = share.reshape(len(share), -1) @ _moments(share.shape[1])
    # How a sum is rounded may depend on how many are formed at once; no neighbour may.
    return np.round(boxes[:, :2] + boxes[:, 2:] * moments[:, :2] / moments[:, 2:], 9)


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
