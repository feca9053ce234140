"""What auxiliary losses ask for: the patches of each mask, and the relations among masks."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semtok.tokens.links import patches_of_regions
from semtok.tokens.rows import RelatedPixelRows


@dataclass(frozen=True)
class Targets:
    """The labels of B images of P patches.

    Attributes:
        regions: [B, R, P] bool, the patches that each mask stands for (as for `grid_relations`);
            all False for padding.
        relations: [T, 3] int64, image (0..B-1), subject and object (0..R-1).
        predicates: [T] int64, ids as in `TokenBatch.edges`.
    """

    regions: Tensor
    relations: Tensor
    predicates: Tensor

    def to(self, device: torch.device | str) -> "Targets":
        """The same labels on another device."""
        return Targets(
            self.regions.to(device), self.relations.to(device), self.predicates.to(device)
        )


def targets(rows: RelatedPixelRows, patches: int) -> Targets:
    """Read the labels off the rows of B images.

    Args:
        rows: pixels, and the regions that relate them.
        patches: P, of an image; a square number.

    Raises:
        SemtokError: patches are not made of the whole cells that the regions are kept in.
    """
    found = rows.regions
    counts, images = found.region_counts, np.arange(len(found.image_ids))
    image = np.repeat(images, counts)
    place = np.arange(len(image)) - (np.cumsum(counts) - counts)[image]
    regions = np.zeros((len(images), counts.max(), patches), np.bool_)
    cells = np.asarray(found.features, np.uint8)
    regions[image, place] = patches_of_regions(cells, math.isqrt(patches))
    relations = np.column_stack([np.repeat(images, found.edge_counts), found.edge_ends])
    return Targets(
        torch.from_numpy(regions),
        torch.from_numpy(relations.astype(np.int64)),
        torch.from_numpy(found.edge_predicate),
    )
