"""Rules about superpixels in token shards: who owns which pixel, and histograms of positions."""

from itertools import pairwise

import polars as pl
import pyarrow as pa

from semtok.checks.regions import Lists
from semtok.checks.rules import Rule, count
from semtok.tokens.rows import HISTOGRAM_UNIT

#: A bin holds at most this, of a region of one pixel in its middle.
_LARGEST = 4

RULES = (
    Rule(
        "superpixels_without_pixels",
        "every pixel has a superpixel of its image, and every superpixel has pixels",
        (pl.col("owners") != pl.col("superpixels"))
        | (pl.col("last_owner") + 1 != pl.col("owners")),
    ),
    Rule(
        "unequal_superpixels",
        "an image's superpixels are as many in each column",
        pl.col("superpixels") != pl.col("histograms"),
    ),
    Rule(
        "histograms_out_of_range",
        "every superpixel's positions are somewhere, and no bin holds more than 4",
        pl.col("nowhere") | (pl.col("most") > _LARGEST),
    ),
)


def summarise(table: pa.Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Count the faults of one shard.

    Args:
        table: of `superpixels_schema`.

    Returns:
        One row an image (image_id, regions), and the counts in one row.
    """
    features, histograms = Lists(table["features"]), Lists(table["geometry"])
    bins = histograms.vectors()
    pieces = [bins[start:end] for start, end in pairwise(histograms.offsets)]
    owners = table["owners"].combine_chunks().to_pylist()
    images = pl.DataFrame(
        {
            "image_id": table["image_id"].to_numpy(),
            "superpixels": features.counts,
            "histograms": histograms.counts,
            "owners": pl.Series([len(set(each)) for each in owners], dtype=pl.Int64),
            "last_owner": pl.Series([max(each) for each in owners], dtype=pl.Int64),
            "nowhere": pl.Series([not each.any(axis=1).all() for each in pieces], dtype=pl.Boolean),
            "most": pl.Series([each.max(initial=0) for each in pieces], dtype=pl.Int64),
        }
    ).with_columns(most=pl.col("most") * HISTOGRAM_UNIT)
    shown = ["image_id", "superpixels", "histograms", "owners", "last_owner", "most"]
    return images.select("image_id", regions="superpixels"), count(images, RULES, shown)
