"""The tables of the stage `index`, for those who read them; `indexing` builds them."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from semtok.tables import TableSchema, read_table

IMAGES = TableSchema(
    "images",
    1,
    pa.schema(
        [
            ("image_id", pa.int64()),
            ("path", pa.string()),  # relative to the data root
            ("width", pa.int32()),  # pixels, as the file's header says
            ("height", pa.int32()),
            ("sha256", pa.string()),
        ]
    ),
)
CAPTIONS = TableSchema(
    "captions",
    1,
    pa.schema([("caption_id", pa.int64()), ("image_id", pa.int64()), ("caption", pa.string())]),
)
#: Every caption and image of one split that it is true of, its own image included; no rows where
#: the data set does not say.
TRUTH = TableSchema("truth", 1, pa.schema([("caption_id", pa.int64()), ("image_id", pa.int64())]))
#: Two images of one split that a swap tells apart, the one of the smaller id first, and a caption
#: of each that is false of the other.
SIBLINGS = TableSchema(
    "siblings",
    1,
    pa.schema(
        [
            ("first_image_id", pa.int64()),
            ("second_image_id", pa.int64()),
            ("kind", pa.string()),  # of the swap
            ("first_caption", pa.string()),
            ("second_caption", pa.string()),
        ]
    ),
)
SPLITS = TableSchema("splits", 1, pa.schema([("image_id", pa.int64()), ("split", pa.string())]))


#: Folder of the artifact with the official files of benchmarks, as the data root has them.
BENCHMARKS = "benchmarks"


@dataclass(frozen=True)
class Annotations:
    """What the index says of its images.

    Attributes:
        captions: schema `CAPTIONS`.
        truth: schema `TRUTH`.
        siblings: schema `SIBLINGS`.
        folder: the artifact itself, for those who read more of it; None where there is none.
    """

    captions: pa.Table
    truth: pa.Table
    siblings: pa.Table
    folder: Path | None = None


def annotations(index: Path) -> Annotations:
    """Read what the artifact of `index` says of its images."""
    return Annotations(
        captions=read_table(index / "captions.parquet", CAPTIONS),
        truth=read_table(index / "truth.parquet", TRUTH),
        siblings=read_table(index / "siblings.parquet", SIBLINGS),
        folder=index,
    )


def split_images(index: Path, split: str) -> pa.Table:
    """The images of one split, ordered by id.

    Args:
        index: the artifact of `index`.
        split: train, val, test or novel.

    Returns:
        Schema `IMAGES`.
    """
    splits = read_table(index / "splits.parquet", SPLITS)
    ids = splits.filter(pc.equal(splits["split"], split))["image_id"]
    images = read_table(index / "images.parquet", IMAGES)
    return images.filter(pc.is_in(images["image_id"], ids.combine_chunks()))
