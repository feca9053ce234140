"""Grid tokens with the mask map as a fourth channel: the control of region tokens.

A patch model is shown where masks lie and where they end, which is what cutting an image into
regions tells a region model. The map names nothing: it has three levels, and neither a category nor
a mask's number (which would tell the order of areas) can be read from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semtok.extract import rle
from semtok.params import Count
from semtok.tables import TableSchema
from semtok.tokens.extraction import Extraction
from semtok.tokens.kept import best_masks
from semtok.tokens.rows import Int, UInt8
from semtok.tokens.shards import pixels_schema

READS_EXTRACTION = True

#: Levels of the map: a pixel of no mask, one within a mask, and one where a mask ends.
OUTSIDE, INSIDE, BORDER = 0, 127, 255


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: Count  # pixels a side that the image is decoded to
    max_masks: Count  # the masks of an image with the highest scores are kept (kept.py)


def schema(settings: Settings) -> TableSchema:
    """The shards' schema."""
    return pixels_schema(settings.image_size, channels=4)


def tokenize(
    images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Settings
) -> list[UInt8]:
    """Put the mask map behind the colours of each image: B times [S, S, 4] uint8.

    Args:
        images: B times [S, S, 4] uint8 RGB and 255, at training size.
        extractions: what was found in each: at least one mask.
        settings: of this tokenizer.
    """
    return [
        np.dstack([image[..., :3], mask_map(owners(found, settings.max_masks, len(image)))])
        for image, found in zip(images, extractions, strict=True)
    ]


def owners(found: Extraction, most: int, size: int) -> Int:
    """The mask that each pixel of the training-size image shows, [S, S]: 1.. by size, 0 for none.

    Of several masks at one pixel the smallest owns it. A pixel is read from the middle of the place
    where it lies in the extractor's image.
    """
    middle = 2 * np.arange(size) + 1
    rows, columns = (middle * side // (2 * size) for side in (found.height, found.width))
    owner = np.zeros((size, size), np.int64)
    for number, mask in enumerate(best_masks(found, most), start=1):
        pixels = rle.decode(found.runs[mask], found.height, found.width)
        owner[pixels[np.ix_(rows, columns)] > 0] = number
    return owner


def mask_map(owner: Int) -> UInt8:
    """Levels [S, S] uint8 of pixels that belong to the given masks.

    A mask ends at a pixel that has a pixel of another mask, or of none, above, below or beside it.
    The image's own edge ends nothing.
    """
    ends = np.zeros(owner.shape, bool)
    down, across = owner[1:] != owner[:-1], owner[:, 1:] != owner[:, :-1]
    ends[1:] |= down
    ends[:-1] |= down
    ends[:, 1:] |= across
    ends[:, :-1] |= across
    levels = np.where(ends, BORDER, INSIDE)
    return np.where(owner > 0, levels, OUTSIDE).astype(np.uint8)
