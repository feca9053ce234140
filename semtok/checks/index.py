"""The gate of `index`: ids, captions, splits, and no image in two of them."""

from dataclasses import dataclass

import polars as pl

from semtok.checks.rejected import REJECTED_RULE, count_rejected
from semtok.checks.rules import Rule, Suite, among, at_least, beside, count, none, there
from semtok.checks.subject import Subject
from semtok.data.files import FILES
from semtok.data.index import CAPTIONS, IMAGES, SIBLINGS, SPLITS, TRUTH
from semtok.tables import read_table


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    images_per_split: int = 1  # at least


_OF_AN_IMAGE = (
    Rule("duplicate_images", "every image id occurs once", pl.col("image_id").is_duplicated()),
    Rule(
        "images_without_pixels",
        "every image has a width and a height",
        (pl.col("width") <= 0) | (pl.col("height") <= 0),
    ),
    Rule(
        "images_not_as_listed",
        "every image is a file of the list, with the same hash",
        pl.col("sha256").ne_missing(pl.col("listed")),
    ),
    Rule("images_without_caption", "every image has a caption", ~pl.col("captioned")),
    Rule("images_without_split", "every image has a split", ~pl.col("in_split")),
)
_OF_A_CAPTION = (
    Rule(
        "duplicate_captions", "every caption id occurs once", pl.col("caption_id").is_duplicated()
    ),
    Rule(
        "empty_captions",
        "every caption has words",
        pl.col("caption").str.strip_chars().str.len_chars() == 0,
    ),
    Rule("captions_without_image", "every caption's image exists", ~pl.col("has_image")),
    Rule(
        "captions_untrue_of_their_image",
        "where a split says what is true, every caption is true of its own image",
        pl.col("judged") & ~pl.col("there"),
    ),
)
_OF_A_TRUTH = (
    Rule(
        "duplicate_truths",
        "a caption is said once to be true of an image",
        pl.struct("caption_id", "image_id").is_duplicated(),
    ),
    Rule(
        "truths_of_nothing",
        "what is true are a caption and an image of one split",
        pl.col("caption_split").ne_missing(pl.col("image_split")) | pl.col("image_split").is_null(),
    ),
)
_OF_SIBLINGS = (
    Rule(
        "siblings_apart",
        "siblings are images of one split",
        pl.col("first_split").ne_missing(pl.col("second_split")) | pl.col("first_split").is_null(),
    ),
    Rule(
        "siblings_out_of_order",
        "the first of two siblings has the smaller id",
        pl.col("first_image_id") >= pl.col("second_image_id"),
    ),
    Rule(
        "siblings_of_many",
        "an image has one sibling at most",
        pl.col("first_image_id").is_duplicated()
        | pl.col("second_image_id").is_duplicated()
        | pl.col("first_image_id").is_in(pl.col("second_image_id").implode()),
    ),
    Rule(
        "siblings_told_alike",
        "siblings have two different captions",
        pl.any_horizontal(
            pl.col(name).str.strip_chars().str.len_chars() == 0
            for name in ("kind", "first_caption", "second_caption")
        )
        | (pl.col("first_caption") == pl.col("second_caption")),
    ),
)
_OF_A_SPLIT_ROW = (
    Rule("images_split_twice", "every image has one split", pl.col("image_id").is_duplicated()),
    Rule("unknown_splits", "every split is one of data.splits", ~pl.col("known")),
    Rule("split_rows_without_image", "every split's image exists", ~pl.col("has_image")),
)
_OF_A_HASH = (
    Rule(
        "hashes_in_two_splits",
        "no two splits share an image, whatever its ids",
        pl.col("splits").list.len() > 1,
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the tables, and the images of each split."""
    images = pl.DataFrame(read_table(subject.artifact / "images.parquet", IMAGES))
    captions = pl.DataFrame(read_table(subject.artifact / "captions.parquet", CAPTIONS))
    splits = pl.DataFrame(read_table(subject.artifact / "splits.parquet", SPLITS))
    truth = pl.DataFrame(read_table(subject.artifact / "truth.parquet", TRUTH))
    siblings = pl.DataFrame(read_table(subject.artifact / "siblings.parquet", SIBLINGS))
    names = list(subject.params["data"]["splits"])
    files = pl.DataFrame(read_table(subject.input("images") / "files.parquet", FILES))
    listed = files.select("path", listed="sha256").unique("path")
    hashes = (
        images.join(splits, on="image_id")
        .group_by("sha256", maintain_order=True)
        .agg(
            pl.col("image_id").unique(maintain_order=True),
            splits=pl.col("split").unique(maintain_order=True),
        )
    )
    images = images.join(listed, on="path", how="left", maintain_order="left").with_columns(
        captioned=among(captions), in_split=among(splits)
    )
    return {
        "tables": beside(
            count(images, _OF_AN_IMAGE, ["image_id", "path"]),
            count(
                _judged(captions, truth, splits).with_columns(has_image=among(images)),
                _OF_A_CAPTION,
                ["caption_id", "image_id"],
            ),
            count(_split(truth, captions, splits), _OF_A_TRUTH, ["caption_id", "image_id"]),
            count(
                _with_splits(siblings, splits), _OF_SIBLINGS, ["first_image_id", "second_image_id"]
            ),
            count(
                splits.with_columns(has_image=among(images), known=pl.col("split").is_in(names)),
                _OF_A_SPLIT_ROW,
                ["image_id", "split"],
            ),
            count(hashes, _OF_A_HASH, ["sha256", "image_id", "splits"]),
            count_rejected(subject, images.height + captions.height),
        ),
        "splits": pl.DataFrame({"split": names})
        .join(splits.group_by("split").agg(images_per_split=pl.len()), on="split", how="left")
        .fill_null(0),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "tables": none(
            *_OF_AN_IMAGE,
            *_OF_A_CAPTION,
            *_OF_A_TRUTH,
            *_OF_SIBLINGS,
            *_OF_A_SPLIT_ROW,
            *_OF_A_HASH,
            REJECTED_RULE,
        ),
        "splits": [
            at_least("images_per_split", settings.images_per_split, "every split has images")
        ],
    }


def _judged(captions: pl.DataFrame, truth: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Captions, whether their split says what is true, and whether they are true of their image."""
    own = there(captions.select("caption_id", "image_id").unique(), truth)
    split_of = splits.unique("image_id", maintain_order=True)
    says = truth.join(split_of, on="image_id")["split"].unique().implode()
    return (
        captions.join(own, on=["caption_id", "image_id"], how="left", maintain_order="left")
        .join(split_of, on="image_id", how="left", maintain_order="left")
        .with_columns(judged=pl.col("split").is_in(says).fill_null(False))
    )


def _split(truth: pl.DataFrame, captions: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """What is true, with the splits of both."""
    split_of = splits.unique("image_id", maintain_order=True)
    owners = captions.unique("caption_id", maintain_order=True).join(split_of, on="image_id")
    return truth.join(
        split_of.rename({"split": "image_split"}), on="image_id", how="left", maintain_order="left"
    ).join(
        owners.select("caption_id", caption_split="split"),
        on="caption_id",
        how="left",
        maintain_order="left",
    )


def _with_splits(siblings: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Siblings, with the splits of both."""
    split_of = splits.unique("image_id", maintain_order=True)
    for end in ("first", "second"):
        named = split_of.rename({"image_id": f"{end}_image_id", "split": f"{end}_split"})
        siblings = siblings.join(named, on=f"{end}_image_id", how="left", maintain_order="left")
    return siblings
