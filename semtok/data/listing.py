"""What a data root says of its images, whatever its layout."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from semtok.remote import AnyPath


@dataclass(frozen=True)
class Listing:
    """All that a data root lists, nothing of it looked at yet.

    Attributes:
        images: image_id, source_id (null), file (relative to the root), folder, listed_width and
            listed_height (pixels; null where nobody says), split (null where it has none).
        captions: image_id, source_id (of the caption), file (that says it), caption.
        truth: caption_id, image_id: what else captions are true of; no rows where nobody says.
        siblings: columns of `index.SIBLINGS`.
        without_split: why an image has no split, in words.
        official: `BENCHMARK/FILE` -> content or where it lies, of the benchmarks that read files.
    """

    images: pl.DataFrame
    captions: pl.DataFrame
    truth: pl.DataFrame
    siblings: pl.DataFrame
    without_split: str
    official: Mapping[str, bytes | AnyPath]
