"""The gate of `token_shards`: who is there, and whether each token set holds together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from semtok.checks import regions, superpixels
from semtok.checks.rejected import REJECTED_RULE, count_rejected
from semtok.checks.rules import Rule, Suite, add, among, at_most, beside, count, none, share, there
from semtok.checks.subject import Subject
from semtok.data.index import split_images
from semtok.sharding import CORRUPTED
from semtok.tables import REJECTED, read_metadata, read_table
from semtok.tokens.shards import TOKENS, TokenShards, pixels_shape


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    share_blank: float = 0.01  # of images of one grey, or of regions without coverage (0..1)


_OF_A_ROW = (
    Rule("duplicate_images", "every image occurs once", pl.col("image_id").is_duplicated()),
    Rule("images_of_other_splits", "every image is of the split", ~pl.col("in_split")),
    Rule(
        "images_out_of_order",
        "a shard is ordered by image_id",
        (pl.col("image_id").diff().over("shard") < 0).fill_null(False),
    ),
)
_OF_AN_IMAGE = (
    Rule(
        "missing_images",
        "every image of the split has tokens or was set aside",
        ~(pl.col("tokenized") | pl.col("rejected")),
    ),
)
_OF_A_SHARD = (
    Rule(
        "shards_of_other_tokens",
        "all shards were made by one tokenizer with one set of settings",
        pl.col("tokens") != pl.col("tokens").first(),
    ),
)
_OF_A_CORRUPTION = (
    Rule(
        "missing_corrupted",
        "what has tokens has them of every corruption that was asked for, too",
        ~pl.col("there"),
    ),
)
_OF_AN_EXTRACTION = (
    Rule(
        "lost_masks",
        "an image has as many regions as masks, up to max_masks; one where it has none",
        pl.col("regions") != pl.max_horizontal(1, pl.min_horizontal("masks", "max_masks")),
    ),
    Rule(
        "lost_relations",
        "an image all of whose masks are kept has all its relations, up to max_relations",
        (pl.col("masks") <= pl.col("max_masks"))
        & (pl.col("relations") != pl.min_horizontal("found", "max_relations")),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of one partition."""
    tokens = TokenShards(subject.artifact).tokens
    paths = subject.shards(".arrow")
    shards = [_Shard.of(path, tokens["settings"]) for path in paths]
    split = pl.DataFrame(split_images(subject.input("index"), subject.split)).select("image_id")
    rows = pl.concat([shard.images for shard in shards])
    rejected = pl.DataFrame(read_table(subject.artifact / "rejected.parquet", REJECTED))
    blank = pl.concat([shard.blank for shard in shards])
    frames = {
        "images": beside(
            count(rows.with_columns(in_split=among(split)), _OF_A_ROW, ["image_id", "shard"]),
            count(
                split.with_columns(tokenized=among(rows), rejected=among(rejected)),
                _OF_AN_IMAGE,
                ["image_id"],
            ),
            count(
                pl.DataFrame(
                    {
                        "shard": [path.name for path in paths],
                        "tokens": [read_metadata(path).get(TOKENS) for path in paths],
                    }
                ),
                _OF_A_SHARD,
                ["shard", "tokens"],
            ),
            count(
                _corrupted(subject, rows.select("image_id")),
                _OF_A_CORRUPTION,
                ["image_id", "corruption"],
            ),
            count_rejected(subject, rows.height),
            share("share_blank", blank, int(rows["tokens"].sum())),
        )
    }
    if all(shard.faults is not None for shard in shards):
        found = add([shard.faults for shard in shards if shard.faults is not None])
        frames["superpixels" if shards[0].cut else "regions"] = found
        if subject.find("masks") and "max_masks" in tokens["settings"]:
            frames["extraction"] = _extraction(subject, rows, tokens["settings"])
    return frames


def suite(settings: Settings) -> Suite:
    """What must hold; of all but `images` only where a tokenizer has them."""
    return {
        "images": [
            *none(*_OF_A_ROW, *_OF_AN_IMAGE, *_OF_A_SHARD, *_OF_A_CORRUPTION, REJECTED_RULE),
            at_most("share_blank", settings.share_blank, "tokens show something"),
        ],
        "regions": none(*regions.RULES),
        "superpixels": none(*superpixels.RULES),
        "extraction": none(*_OF_AN_EXTRACTION),
    }


@dataclass(frozen=True)
class _Shard:
    """What is kept of one shard.

    Attributes:
        images: one row each, with the number of its `tokens` that could be blank.
        blank: those of them that are.
        faults: counts in one row, where the shard holds regions.
        cut: whether these are superpixels.
    """

    images: pl.DataFrame
    blank: pl.DataFrame
    faults: pl.DataFrame | None
    cut: bool

    @classmethod
    def of(cls, path: Path, settings: dict[str, Any]) -> "_Shard":
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        images, faults = pl.DataFrame(table.select(["image_id"])), None
        cut = "owners" in table.column_names
        tokens, blank = pl.lit(0), []
        if "pixels" in table.column_names:
            tokens += 1
            blank.append(images.filter(_one_grey(table)))
        if "features" in table.column_names:
            images, faults = (
                superpixels.summarise(table) if cut else regions.summarise(table, settings)
            )
            tokens += pl.col("regions")
            blank.append(regions.blank(table))
        images = images.with_columns(tokens=tokens, shard=pl.lit(path.name))
        return cls(images, pl.concat(blank, how="diagonal"), faults, cut)


def _one_grey(table: pa.Table) -> pl.Series:
    """Which images have all colours equal, whatever their mask map is."""
    array = table["pixels"].combine_chunks()
    shape = pixels_shape(table.schema)
    colours = array.values.to_numpy().reshape(len(array), *shape)[..., :3]
    equal = (colours == colours[:, :1, :1, :1]).all(axis=(1, 2, 3))
    return pl.Series(equal, dtype=pl.Boolean)


def _corrupted(subject: Subject, rows: pl.DataFrame) -> pl.DataFrame:
    """Each tokenized image and corruption that was asked for, and whether it is there."""
    from semtok.extract.corruptions import KINDS, Corruption  # OpenCV, which settings do not need

    wanted = subject.params["corruption"]
    severities = wanted["severities"] if subject.split in wanted["splits"] else []
    names = [str(Corruption(kind, each)) for kind in KINDS for each in severities]
    columns = {"image_id": pl.Int64, "corruption": pl.String}
    found = [pl.DataFrame(schema=columns)]
    for name in names:
        for path in sorted((subject.artifact / CORRUPTED / name).glob("*.arrow")):
            ids = pa.ipc.open_file(pa.memory_map(str(path))).read_all().select(["image_id"])
            found.append(pl.DataFrame(ids).with_columns(corruption=pl.lit(name)))
    every = rows.join(pl.DataFrame({"corruption": pl.Series(names, dtype=pl.String)}), how="cross")
    return there(every, pl.concat(found))


def _extraction(subject: Subject, rows: pl.DataFrame, settings: dict[str, Any]) -> pl.DataFrame:
    """Compare the regions and relations of each image with what its extractor found."""
    masks = _per_image(subject.input("masks"), "masks")
    relations = _per_image(subject.input("scene_graphs"), "found")
    compared = (
        rows.join(masks, on="image_id", how="left", maintain_order="left")
        .join(relations, on="image_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("masks", "found").fill_null(0),
            max_masks=pl.lit(settings["max_masks"]),
            max_relations=pl.lit(settings["max_relations"]),
        )
    )
    return count(
        compared, _OF_AN_EXTRACTION, ["image_id", "regions", "masks", "relations", "found"]
    )


def _per_image(folder: Path, name: str) -> pl.DataFrame:
    """The number of rows of each image in a folder of shards."""
    ids = pl.read_parquet(sorted(folder.glob("[0-9]*.parquet")), columns=["image_id"])
    return ids.group_by("image_id").agg(pl.len().alias(name))
