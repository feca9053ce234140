"""Grid tokens: the image at training size, which a variant cuts into square patches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semtok.params import Count
from semtok.tables import TableSchema
from semtok.tokens.extraction import Extraction
from semtok.tokens.rows import UInt8
from semtok.tokens.shards import pixels_schema

READS_EXTRACTION = False


@dataclass(frozen=True)
class Settings:
    """What the token sets are made of."""

    image_size: Count  # pixels a side that the image is decoded to


def schema(settings: Settings) -> TableSchema:
    """The shards' schema."""
    return pixels_schema(settings.image_size)


def tokenize(
    images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Settings
) -> list[UInt8]:
    """Keep the colours of images, B times [S, S, 4] uint8 -> [S, S, 3]; no extractions are read."""
    # Copied: a view would keep the fourth channel as long as a shard takes to be made.
    return [np.ascontiguousarray(image[..., :3]) for image in images]
