"""Rules about the regions of token shards: geometry, neighbours and relations."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from semtok.checks.rules import Rule, beside, count
from semtok.tokens.rows import Int

#: Coordinates are float32.
_ROUNDING = 1e-5

_GEOMETRY = ["cx", "cy", "w", "h", "area"]
_INSIDE = pl.all_horizontal(pl.col(_GEOMETRY).is_between(0, 1))

_OF_AN_IMAGE = (
    Rule("images_without_regions", "every image has a region", pl.col("regions") == 0),
    Rule(
        "too_many_regions",
        "no image has more regions than the tokenizer's max_masks",
        pl.col("regions") > pl.col("max_regions"),
    ),
    Rule(
        "too_many_relations",
        "no image has more relations than the tokenizer's max_relations",
        pl.col("relations") > pl.col("max_relations"),
    ),
    Rule(
        "unequal_columns",
        "an image's regions are as many in each column, and so are its relations",
        (pl.col("regions") != pl.col("geometry"))
        | (pl.col("regions") != pl.col("neighbours"))
        | (pl.col("relations") != pl.col("predicates")),
    ),
)
_OF_A_REGION = (
    Rule(
        "geometry_not_finite",
        "every geometry is a number",
        ~pl.all_horizontal(pl.col(_GEOMETRY).is_finite()),
    ),
    Rule(
        "geometry_out_of_range",
        "geometry is relative to the image: 0..1",
        pl.all_horizontal(pl.col(_GEOMETRY).is_finite()) & ~_INSIDE,
    ),
    Rule(
        "boxes_outside_image",
        "every region's box lies inside its image",
        _INSIDE
        & pl.any_horizontal(
            (pl.col(centre) - pl.col(side) / 2 < -_ROUNDING)
            | (pl.col(centre) + pl.col(side) / 2 > 1 + _ROUNDING)
            for centre, side in (("cx", "w"), ("cy", "h"))
        ),
    ),
    Rule(
        "areas_beyond_boxes",
        "every region has an area, and it fits into its box",
        _INSIDE
        & ((pl.col("area") <= 0) | (pl.col("area") > pl.col("w") * pl.col("h") + _ROUNDING)),
    ),
)
_OF_NEIGHBOURS = (
    Rule(
        "neighbours_out_of_range",
        "every neighbour is a region of the image, or -1",
        pl.col("out_of_range"),
    ),
    Rule("self_neighbours", "no region is its own neighbour", pl.col("itself")),
    Rule(
        "missing_neighbours",
        "every region knows K neighbours, or all others where there are fewer",
        pl.col("known") != pl.col("possible"),
    ),
)
_OF_A_RELATION = (
    Rule(
        "relation_ends_out_of_range",
        "the ends of every relation are regions of the image",
        (pl.min_horizontal("subject", "object") < 0)
        | (pl.max_horizontal("subject", "object") >= pl.col("regions")),
    ),
    Rule("self_relations", "no region relates to itself", pl.col("subject") == pl.col("object")),
    Rule(
        "unnamed_predicates",
        "every predicate has a name",
        pl.col("predicate").str.strip_chars() == "",
    ),
)
RULES = (*_OF_AN_IMAGE, *_OF_A_REGION, *_OF_NEIGHBOURS, *_OF_A_RELATION)


def summarise(table: pa.Table, settings: dict[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Count the faults of one shard.

    Args:
        table: of `regions_schema` or `related_pixels_schema`.
        settings: of the tokenizer, as the shard names them.

    Returns:
        One row an image (image_id, regions, relations), and the counts in one row.
    """
    lists = {
        name: Lists(table[name])
        for name in table.column_names
        if name not in ("image_id", "pixels")
    }
    # A tokenizer without such a setting has no limit.
    endless = np.iinfo(np.int64).max
    images = pl.DataFrame(
        {
            "image_id": table["image_id"].to_numpy(),
            "regions": lists["features"].counts,
            "geometry": lists["geometry"].counts,
            "neighbours": lists["neighbours"].counts,
            "relations": lists["edge_ends"].counts,
            "predicates": lists["edge_predicate"].counts,
        }
    ).with_columns(
        max_regions=pl.lit(settings.get("max_masks", endless)),
        max_relations=pl.lit(settings.get("max_relations", endless)),
    )
    owners = images.select("image_id", "regions")
    neighbours = _neighbours(lists["neighbours"], owners)
    geometry = _rows(lists["geometry"], owners, "region").with_columns(
        pl.Series(name, values)
        for name, values in zip(_GEOMETRY, lists["geometry"].vectors().T, strict=True)
    )
    relations = _relations(lists["edge_ends"], lists["edge_predicate"], owners)
    faults = beside(
        count(images, _OF_AN_IMAGE, images.columns),
        count(geometry, _OF_A_REGION, ["image_id", "region", *_GEOMETRY]),
        count(neighbours, _OF_NEIGHBOURS, ["image_id", "region", "regions", "known"]),
        count(relations, _OF_A_RELATION, relations.columns),
    )
    return images.select("image_id", "regions", "relations"), faults


def blank(table: pa.Table) -> pl.DataFrame:
    """The regions of a shard that show nothing: image_id, region.

    Their mask does not reach their features, or a backbone's are 0 or no numbers.
    """
    features = Lists(table["features"])
    if pa.types.is_float16(features.values.type.value_type):
        vectors = features.vectors()
        nothing = ~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
        images = pl.DataFrame(table.select(["image_id"]))
        return _rows(features, images, "region").filter(pl.Series(nothing, dtype=pl.Boolean))
    # Where there are pixels beside the regions, these are nothing but their coverage.
    channel = slice(None) if "pixels" in table.column_names else slice(3, None, 4)
    covered = features.vectors()[:, channel].max(axis=1)
    images = pl.DataFrame(table.select(["image_id"]))
    return _rows(features, images, "region").filter(pl.Series(covered == 0, dtype=pl.Boolean))


class Lists:
    """A ragged column as flat values; nothing is copied."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        """Take a column of lists."""
        array = column.combine_chunks()
        self.offsets: Int = array.offsets.to_numpy().astype(np.int64)
        self.counts: Int = np.diff(self.offsets)
        self.values = array.values

    def vectors(self) -> NDArray[Any]:
        """[values, length] of lists of fixed length."""
        length = self.values.type.list_size
        flat = self.values.values.to_numpy()
        return np.asarray(flat).reshape(len(self.values), length)


def _rows(lists: Lists, images: pl.DataFrame, number: str) -> pl.DataFrame:
    """One row a value: the columns of its image, and its number there."""
    owner = np.repeat(np.arange(len(images)), lists.counts)
    numbers = np.arange(len(owner)) - lists.offsets[owner]
    return images[owner].with_columns(pl.Series(number, numbers))


def _neighbours(lists: Lists, images: pl.DataFrame) -> pl.DataFrame:
    rows = _rows(lists, images, "region")
    found = lists.vectors()
    regions, own = rows["regions"].to_numpy()[:, None], rows["region"].to_numpy()[:, None]
    return rows.with_columns(
        out_of_range=pl.Series(((found < -1) | (found >= regions)).any(axis=1)),
        itself=pl.Series((found == own).any(axis=1)),
        known=pl.Series((found != -1).sum(axis=1)),
        possible=pl.Series(np.minimum(found.shape[1], regions[:, 0] - 1)),
    )


def _relations(ends: Lists, names: Lists, images: pl.DataFrame) -> pl.DataFrame:
    rows = _rows(ends, images, "relation")
    subject, target = ends.vectors().T
    predicates = pl.Series(names.values.dictionary_decode(), dtype=pl.String)
    # Where the columns are of unequal length there is a rule about that.
    missing = len(rows) - len(predicates)
    predicates = predicates.extend_constant("?", missing) if missing > 0 else predicates
    return rows.with_columns(
        subject=pl.Series(subject), predicate=predicates.head(len(rows)), object=pl.Series(target)
    )
