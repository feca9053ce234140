"""Grid tokens, and the relations among the masks that patches cover.

What tells a patch model about relations what semantic tokens tell a region model: a variant adds
the image's relations as intangible tokens, or as a bias between the patches of their ends. The
masks are not tokens here; they only say which patches a relation is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semtok.errors import SemtokError
from semtok.params import Count, Limit
from semtok.tables import TableSchema
from semtok.tokens.coverage import coverage
from semtok.tokens.extraction import Extraction
from semtok.tokens.kept import best_masks, best_relations
from semtok.tokens.rows import Regions, RelatedPixels, UInt8
from semtok.tokens.shards import related_pixels_schema

READS_EXTRACTION = True


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: Count  # pixels a side that the image is decoded to
    cell_size: Count  # pixels a side of the cells whose coverage is kept; divides every patch_size
    max_masks: Count  # the masks of an image with the highest scores are kept (kept.py)
    max_relations: Limit  # the relations of an image with the highest scores are kept


def schema(settings: Settings) -> TableSchema:
    """The shards' schema.

    Raises:
        SemtokError: the cells do not tile the image.
    """
    if settings.cell_size < 1 or settings.image_size % settings.cell_size:
        raise SemtokError(
            f"cell_size: {settings.cell_size} does not divide the image's {settings.image_size} "
            "pixels; give the tokenizer a cell_size that does"
        )
    return related_pixels_schema(settings.image_size, settings.image_size // settings.cell_size)


def tokenize(
    images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Settings
) -> list[RelatedPixels]:
    """Keep the images as they are, with the geometry and cells of their masks and the relations.

    Regions come largest first, relations by falling score.

    Args:
        images: B times [S, S, 4] uint8 RGB and 255, at training size.
        extractions: what was found in each: at least one mask.
        settings: of this tokenizer.
    """
    cells = settings.image_size // settings.cell_size
    token_sets = []
    for image, found in zip(images, extractions, strict=True):
        kept = best_masks(found, settings.max_masks)
        size = np.array([found.width, found.height])
        # The box is the whole image: cells are the image's, not the mask's.
        whole = np.tile(np.append([0, 0], size), (len(kept), 1))
        heights = np.full(len(kept), found.height)
        share = coverage(found.runs.take(kept), whole, heights, cells)
        corner, extent = np.split(found.boxes[kept] / np.tile(size, 2), 2, axis=1)
        area = found.areas[kept, None] / size.prod()
        # However small a region is, some cell says where it lies.
        covered = np.maximum(np.rint(255 * share), share > 0).astype(np.uint8)
        regions = Regions(
            covered.reshape(len(kept), -1),
            np.concatenate([corner + extent / 2, extent, area], axis=1).astype(np.float32),
            np.empty((len(kept), 0), np.int16),
            *best_relations(found, kept, settings.max_relations),
        )
        # Copied: a view would keep the fourth channel as long as a shard takes to be made.
        token_sets.append(RelatedPixels(np.ascontiguousarray(image[..., :3]), regions))
    return token_sets
