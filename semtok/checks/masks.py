"""The gate of `masks`: ids, boxes, areas and runs of what an extractor found; for what a model that
was trained elsewhere found, also whether it names what the training annotations name."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from semtok.checks import corrupted, runs
from semtok.checks.drift import category_drift
from semtok.checks.rejected import REJECTED_RULE, count_rejected
from semtok.checks.repeated_masks import SAME, repeated
from semtok.checks.rules import Rule, Suite, add, among, at_most, beside, count, none, share
from semtok.checks.subject import Subject
from semtok.data.index import IMAGES, split_images
from semtok.extract.masks import MASKS
from semtok.tables import read_table

#: Masks measured at once: bounds the memory, whatever the shard's size.
_BATCH = 16_384

_ID = ["image_id", "mask_id"]


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    share_without_masks: float = 0.05  # images of the split in which nothing was found (0..1)
    share_repeated_masks: float = 0.05  # masks that share nearly all with another of their image
    category_drift: float = 0.5  # from the training annotations, where a model names (0..1)


_IN_ORDER = (
    Rule(
        "masks_out_of_order",
        "a shard is ordered by image_id, mask_id",
        (pl.col("image_id").diff() < 0).fill_null(False)
        | ((pl.col("image_id").diff() == 0) & (pl.col("mask_id").diff() < 0)).fill_null(False),
    ),
)
_ACROSS_SHARDS = (
    Rule(
        "duplicate_masks",
        "a mask id occurs once in its image",
        pl.struct("image_id", "mask_id").is_duplicated(),
    ),
)
_OF_AN_IMAGE = (
    Rule(
        "gaps_in_mask_ids",
        "the mask ids of an image count from 0",
        pl.col("masks") != pl.col("last_id") + 1,
    ),
    Rule("images_of_other_splits", "every mask's image is of the split", ~pl.col("in_split")),
)
_OF_A_CATEGORY = (
    Rule(
        "categories_of_two_names",
        "a category id has one name",
        pl.col("category").list.len() > 1,
    ),
)
_OF_A_MASK = (
    Rule("empty_masks", "every mask has a pixel", pl.col("measured_area") == 0),
    Rule(
        "wrong_runs",
        "a mask's runs cover its image exactly",
        pl.col("measured_pixels") != pl.col("height").cast(pl.Int64) * pl.col("width"),
    ),
    Rule("wrong_areas", "areas are those of the runs", pl.col("area") != pl.col("measured_area")),
    Rule(
        "wrong_boxes",
        "boxes are the tight ones of the runs",
        pl.any_horizontal(pl.col(side) != pl.col(f"measured_{side}") for side in "xywh"),
    ),
    Rule(
        "boxes_outside_image",
        "every box lies inside its image",
        (pl.min_horizontal("x", "y", "w", "h") < 0)
        | (pl.col("x") + pl.col("w") > pl.col("width"))
        | (pl.col("y") + pl.col("h") > pl.col("height")),
    ),
    Rule(
        "wrong_image_sizes",
        "a mask's image has the size that the index says",
        (pl.col("width") != pl.col("image_width")) | (pl.col("height") != pl.col("image_height")),
    ),
    Rule("scores_out_of_range", "scores lie in 0..1", ~pl.col("score").is_between(0, 1)),
    Rule("unnamed_categories", "every category has a name", pl.col("category") == ""),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of one partition."""
    index = subject.input("index")
    images = pl.DataFrame(read_table(index / "images.parquet", IMAGES))
    ours = pl.DataFrame(split_images(index, subject.split)).select("image_id")
    shards = [_shard(path, images) for path in subject.shards(".parquet")]
    ids = pl.concat([shard for shard, *_ in shards])
    per_image = (
        ids.group_by("image_id", maintain_order=True)
        .agg(masks=pl.col("mask_id").n_unique(), last_id=pl.col("mask_id").max())
        .with_columns(in_split=among(ours))
    )
    categories = ids.group_by("category_id", maintain_order=True).agg(
        pl.col("category").unique(maintain_order=True)
    )
    without = ours.filter(~among(per_image))
    return {
        "masks": beside(
            add([faults for _, faults, _ in shards]),
            count(ids, _ACROSS_SHARDS, [*_ID, "shard"]),
            count(per_image, _OF_AN_IMAGE, ["image_id", "masks", "last_id"]),
            count(categories, _OF_A_CATEGORY, ["category_id", "category"]),
            count_rejected(subject, ids.height),
            share("share_without_masks", without, len(ours)),
            share("share_repeated_masks", pl.concat([each for *_, each in shards]), ids.height),
            category_drift(subject.artifact, ids["category"]),
            corrupted.missing(subject),
        )
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "masks": [
            *none(*_IN_ORDER, *_ACROSS_SHARDS, *_OF_AN_IMAGE, *_OF_A_CATEGORY),
            *none(*_OF_A_MASK, REJECTED_RULE, corrupted.RULE),
            at_most(
                "share_without_masks",
                settings.share_without_masks,
                "something was found in nearly every image of the split",
            ),
            at_most(
                "share_repeated_masks",
                settings.share_repeated_masks,
                f"hardly a mask is another one of its image once more (IoU {SAME})",
            ),
            at_most(
                "category_drift",
                settings.category_drift,
                "a model names things about as often as the training annotations do",
            ),
        ]
    }


def _shard(path: Path, images: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The ids and categories of a shard, the faults of its masks, and those that repeat one."""
    sizes = images.select("image_id", image_width="width", image_height="height")
    table = read_table(path, MASKS)
    parts = []
    for start in range(0, max(1, table.num_rows), _BATCH):
        batch = table.slice(start, _BATCH).combine_chunks()
        measured = runs.measure(
            batch["counts"].combine_chunks(), batch["height"].to_numpy().astype("int64")
        )
        rows = pl.DataFrame(batch.drop_columns(["counts"])).with_columns(
            pl.Series(f"measured_{name}", values) for name, values in measured._asdict().items()
        )
        rows = rows.join(sizes, on="image_id", how="left", maintain_order="left")
        parts.append(count(rows, _OF_A_MASK, [*_ID, *"xywh", "area", "width", "height"]))
    ids = pl.DataFrame(table.select([*_ID, "category_id", "category"]))
    ids = ids.with_columns(shard=pl.lit(path.name))
    faults = beside(add(parts), count(ids, _IN_ORDER, [*_ID, "shard"]))
    return ids, faults, repeated(table)
