"""Rows of token shards -> padded batch."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from semtok.errors import SemtokError
from semtok.params import Features
from semtok.tokens.batch import INTANGIBLE, PATCH, SUPERPIXEL, TANGIBLE, TokenBatch, positions
from semtok.tokens.links import covered_patches, edges_of_patches
from semtok.tokens.permutation import permute
from semtok.tokens.rows import (
    HISTOGRAM_UNIT,
    Int,
    PixelRows,
    RegionRows,
    RelatedPixelRows,
    Rows,
    SuperpixelRows,
    UInt8,
)


@dataclass(frozen=True)
class Collate:
    """Turn rows into a `TokenBatch`, as one variant wants it.

    Attributes:
        patch_size: side of a patch in pixels, for rows of pixels; must divide the image's side.
        intangible: add one token per relation.
        permute_relations: the control: relations permuted within the image (see `permute`).
        seed: of that permutation.
        features: "shape" makes all colours 0 and leaves the fourth channel, "none" leaves nothing;
            both leave no gradients.
    """

    patch_size: int | None = None
    intangible: bool = False
    permute_relations: bool = False
    seed: int = 0
    features: Features = "all"

    def __call__(self, rows: Rows) -> TokenBatch:
        """Collate the rows of B images."""
        batch = self._tokens(rows)
        if self.features == "all":
            return batch
        left = torch.zeros_like(batch.features)
        if self.features == "shape":
            left[..., 3::4] = batch.features[..., 3::4]
        return replace(_without_gradients(batch), features=left)

    def _tokens(self, rows: Rows) -> TokenBatch:
        if isinstance(rows, PixelRows):
            return _patches(rows.pixels, self.patch_size)
        if isinstance(rows, RelatedPixelRows):
            patches = _patches(rows.pixels, self.patch_size)
            return _relate(patches, self._permuted(rows.regions), self.intangible)
        if isinstance(rows, SuperpixelRows):
            return _superpixels(rows)
        return _regions(self._permuted(rows), self.intangible)

    def _permuted(self, rows: RegionRows) -> RegionRows:
        return permute(rows, self.seed) if self.permute_relations else rows


def _patches(pixels: UInt8, patch_size: int | None) -> TokenBatch:
    images, size, _, channels = pixels.shape
    if not patch_size or size % patch_size:
        raise SemtokError(
            f"patch_size: {patch_size} does not divide the image's {size} pixels; "
            "give the variant a patch_size that does"
        )
    side = size // patch_size
    grid = pixels.reshape(images, side, patch_size, side, patch_size, channels).swapaxes(2, 3)
    centre = (np.arange(side, dtype=np.float32) + 0.5) / side
    y, x = np.meshgrid(centre, centre, indexing="ij")
    width, area = np.full_like(x, 1 / side), np.full_like(x, 1 / side**2)
    geometry = np.stack([x, y, width, width, area], axis=-1).reshape(-1, 5)
    count = side**2
    return TokenBatch(
        features=torch.from_numpy(grid.reshape(images, count, patch_size**2 * channels)),
        geometry=torch.from_numpy(geometry).expand(images, -1, -1),
        kind=torch.full((images, count), PATCH),
        valid=torch.ones((images, count), dtype=torch.bool),
        edges=torch.empty((images, 0, 4), dtype=torch.int64),
        neighbours=torch.empty((images, count, 0), dtype=torch.int64),
    )


def _relate(patches: TokenBatch, regions: RegionRows, intangible: bool) -> TokenBatch:
    """Add the edges of relations to patches, and their intangible tokens where they are wanted."""
    images, tokens = patches.kind.shape
    of_relation, relation = _places(regions.edge_counts)
    counts, rows = edges_of_patches(
        regions, math.isqrt(tokens), tokens + relation if intangible else None
    )
    edges = np.full((images, counts.max(), 4), -1, np.int64)
    edges[_places(counts)] = rows
    foreground = torch.from_numpy(covered_patches(regions, math.isqrt(tokens)))
    patches = replace(patches, edges=torch.from_numpy(edges), foreground=foreground)
    if not intangible:
        return patches
    most = int(regions.edge_counts.max())
    kind = np.zeros((images, most), np.int64)
    geometry = np.zeros((images, most, 5), np.float32)
    kind[of_relation, relation] = INTANGIBLE
    first = np.cumsum(regions.region_counts) - regions.region_counts
    geometry[of_relation, relation] = _union(
        regions.geometry, first[of_relation, None] + regions.edge_ends
    )
    return replace(
        patches,
        features=F.pad(patches.features, (0, 0, 0, most)),
        geometry=torch.cat([patches.geometry, torch.from_numpy(geometry)], dim=1),
        kind=torch.cat([patches.kind, torch.from_numpy(kind)], dim=1),
        valid=torch.cat([patches.valid, torch.from_numpy(kind == INTANGIBLE)], dim=1),
        neighbours=patches.neighbours.new_empty((images, tokens + most, 0)),
        foreground=torch.cat([foreground, torch.from_numpy(kind == INTANGIBLE)], dim=1),
    )


def _regions(rows: RegionRows, intangible: bool) -> TokenBatch:
    images = len(rows.image_ids)
    tokens = rows.region_counts + (rows.edge_counts if intangible else 0)
    longest, most_edges = int(tokens.max()), int(rows.edge_counts.max())
    of_region, region = _places(rows.region_counts)
    of_edge, edge = _places(rows.edge_counts)
    relation = rows.region_counts[of_edge] + edge

    features = np.zeros((images, longest, rows.features.shape[1]), rows.features.dtype)
    geometry = np.zeros((images, longest, 5), np.float32)
    neighbours = np.full((images, longest, rows.neighbours.shape[1]), -1, np.int64)
    kind = np.zeros((images, longest), np.int64)
    edges = np.full((images, most_edges, 4), -1, np.int64)
    features[of_region, region] = rows.features
    geometry[of_region, region] = rows.geometry
    neighbours[of_region, region] = rows.neighbours
    kind[of_region, region] = TANGIBLE
    edges[of_edge, edge, :2] = rows.edge_ends
    edges[of_edge, edge, 2] = rows.edge_predicate
    if intangible:
        kind[of_edge, relation] = INTANGIBLE
        first = np.cumsum(rows.region_counts) - rows.region_counts
        geometry[of_edge, relation] = _union(rows.geometry, first[of_edge, None] + rows.edge_ends)
        edges[of_edge, edge, 3] = relation
    return TokenBatch(
        features=torch.from_numpy(features),
        geometry=torch.from_numpy(geometry),
        kind=torch.from_numpy(kind),
        valid=torch.from_numpy(np.arange(longest) < tokens[:, None]),
        edges=torch.from_numpy(edges),
        neighbours=torch.from_numpy(neighbours),
    )


def _superpixels(rows: SuperpixelRows) -> TokenBatch:
    images, longest = len(rows.image_ids), int(rows.region_counts.max())
    of_region, region = _places(rows.region_counts)
    features = np.zeros((images, longest, rows.features.shape[1]), np.uint8)
    geometry = np.zeros((images, longest, rows.geometry.shape[1]), np.float32)
    features[of_region, region] = rows.features
    geometry[of_region, region] = rows.geometry * np.float32(HISTOGRAM_UNIT)
    valid = torch.from_numpy(np.arange(longest) < rows.region_counts[:, None])
    return TokenBatch(
        features=torch.from_numpy(features),
        geometry=torch.from_numpy(geometry),
        kind=valid * SUPERPIXEL,
        valid=valid,
        edges=torch.empty((images, 0, 4), dtype=torch.int64),
        neighbours=torch.empty((images, longest, 0), dtype=torch.int64),
    )


def _without_gradients(batch: TokenBatch) -> TokenBatch:
    """Histograms of gradients tell how a token looks, whatever field they are in."""
    if not (batch.kind == SUPERPIXEL).any():
        return batch
    geometry = torch.zeros_like(batch.geometry)
    positions(geometry).copy_(positions(batch.geometry))
    return replace(batch, geometry=geometry)


def _places(counts: Int) -> tuple[Int, Int]:
    """For every value of a ragged column: its image, and its number within the image."""
    image = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return image, np.arange(len(image)) - before[image]


def _union(geometry: NDArray[np.float32], ends: Int) -> NDArray[np.float32]:
    """Geometry [E, 5] of the smallest boxes around both ends [E, 2], rows of `geometry`."""
    subject, target = (geometry.take(each, axis=0) for each in ends.T)
    low = np.minimum(subject[:, :2] - subject[:, 2:4] / 2, target[:, :2] - target[:, 2:4] / 2)
    high = np.maximum(subject[:, :2] + subject[:, 2:4] / 2, target[:, :2] + target[:, 2:4] / 2)
    union = np.empty((len(ends), 5), np.float32)
    union[:, :2] = (low + high) / 2
    union[:, 2:4] = high - low
    union[:, 4] = union[:, 2] * union[:, 3]
    return union
