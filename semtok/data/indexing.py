"""The stage `index`: images, captions and splits as tables, and what was set aside."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
from PIL import Image

from semtok.data import class_folders, coco_listing, rejects
from semtok.data.index import BENCHMARKS, CAPTIONS, IMAGES, SIBLINGS, SPLITS, TRUTH
from semtok.data.listing import Listing
from semtok.events import Emit, Progress, ignore
from semtok.params import DataSettings
from semtok.parsing import parse
from semtok.remote import AnyPath, UnreachableError, readable, threads
from semtok.tables import REJECTED, write_table

#: Images that one thread decodes between two progress events.
_BATCH = 64


def build(
    root: AnyPath, files: pa.Table, settings: DataSettings, staging: Path, emit: Emit = ignore
) -> None:
    """Write `images`, `captions`, `truth`, `siblings`, `splits` and `rejected.parquet`.

    The official files of benchmarks are copied as they are.

    Set aside are images that are missing, unreadable, of another size than the annotations say,
    without a caption or without a split; captions that are empty or have no image; and every
    further row that repeats an id.

    Args:
        root: the data root.
        files: schema `FILES`, with the hashes.
        staging: empty folder to fill.

    Raises:
        SemtokError: an annotation file is damaged, or more than `settings.rejected_share` of the
            images or of the captions were set aside.
    """
    sieve = _Sieve()
    listed = listing_of(root, settings)
    images = _sound_images(root, listed, files, sieve, emit)
    captions = sieve.drop(listed.captions, _repeats("source_id"), "repeats a caption id")
    captions = sieve.drop(captions, ~_known(listed.images), "no image of that id")
    captions = sieve.drop(captions, ~_known(images), rejects.FOLLOWS)
    blank = pl.col("caption").str.strip_chars() == ""
    captions = sieve.drop(captions, blank, "empty caption")
    images = sieve.drop(images, ~_known(captions), "no caption")

    bad = sieve.rejected()
    of_image = pl.col("source_id").is_null()
    for what, kept, rows in (
        ("images", images, bad.filter(of_image)),
        ("captions", captions, bad.filter(~of_image)),
    ):
        rejects.enforce(rows.to_arrow(), kept.height, settings.rejected_share, what, root)
    images = images.rename({"file": "path"}).sort("image_id")
    captions = captions.rename({"source_id": "caption_id"}).sort("image_id", "caption_id")
    truth = _kept_truth(listed.truth, images, captions)
    for name, frame, schema in (
        ("images", images, IMAGES),
        ("captions", captions, CAPTIONS),
        ("truth", truth, TRUTH),
        ("siblings", _kept_siblings(listed.siblings, images), SIBLINGS),
        ("splits", images, SPLITS),
        ("rejected", bad, REJECTED),
    ):
        rows = frame.select(schema.columns.names).to_arrow()
        write_table(staging / f"{name}.parquet", rows, schema)
    for name, content in listed.official.items():
        target = staging / BENCHMARKS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)  # however large it is
        else:
            target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())


def listing_of(root: AnyPath, settings: DataSettings) -> Listing:
    """What a data root lists, by its layout.

    Raises:
        SemtokError: it is damaged, or does not fit the settings.
    """
    if settings.format == "class_folders":
        raw = settings.settings.get(settings.format, {})
        where = f"params.yaml: data.settings.{settings.format}"
        return class_folders.listing(root, parse(class_folders.Settings, raw, where))
    return coco_listing.listing(root)


class _Sieve:
    """What was set aside so far."""

    def __init__(self) -> None:
        self._found: list[pl.DataFrame] = []

    def drop(self, frame: pl.DataFrame, bad: pl.Expr, reason: str | pl.Expr) -> pl.DataFrame:
        """Set the bad rows aside with a reason and return the others."""
        why = pl.lit(reason) if isinstance(reason, str) else reason
        row = {"shard": pl.lit(None, pl.String), "reason": why}
        self._found.append(frame.filter(bad).with_columns(**row).select(REJECTED.columns.names))
        return frame.filter(~bad)

    def rejected(self) -> pl.DataFrame:
        """Everything that was set aside, in a fixed order."""
        return pl.concat(self._found).sort("source_id", "image_id", "reason", "file")


def _repeats(column: str) -> pl.Expr:
    return ~pl.col(column).is_first_distinct()


def _known(frame: pl.DataFrame) -> pl.Expr:
    """Whether a row's image is one of the frame's."""
    return pl.col("image_id").is_in(frame["image_id"].implode())


def _kept_truth(truth: pl.DataFrame, images: pl.DataFrame, captions: pl.DataFrame) -> pl.DataFrame:
    """What is true of what, among the images and captions that are kept, within a split."""
    split_of = images.select("image_id", "split")
    owners = captions.select("caption_id", "image_id").join(split_of, on="image_id")
    return (
        truth.join(split_of, on="image_id")
        .join(owners.select("caption_id", "split"), on=["caption_id", "split"])
        .select("caption_id", "image_id")
        .unique()
        .sort("caption_id", "image_id")
    )


def _kept_siblings(siblings: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Those of which both images are kept, in one split."""
    split_of = images.select("image_id", "split")
    for end in ("first", "second"):
        named = split_of.rename({"image_id": f"{end}_image_id", "split": f"{end}_split"})
        siblings = siblings.join(named, on=f"{end}_image_id", maintain_order="left")
    kept = siblings.filter(first_split=pl.col("second_split"))
    return kept.sort("first_image_id", "second_image_id", maintain_order=True)


def _sound_images(
    root: AnyPath,
    listed: Listing,
    files: pa.Table,
    sieve: _Sieve,
    emit: Emit,
) -> pl.DataFrame:
    """The images that can be read and have a split, with the size in their header."""
    images = sieve.drop(listed.images, _repeats("image_id"), "repeats an image id")
    hashes = pl.DataFrame(files).select("sha256", file="path")
    images = images.join(hashes, on="file", how="left", maintain_order="left")
    images = sieve.drop(images, pl.col("sha256").is_null(), "no such file")
    images = images.hstack(_headers([root / name for name in images["file"]], emit))
    images = sieve.drop(images, pl.col("fault").is_not_null(), "unreadable: " + pl.col("fault"))
    differs = (pl.col("width") != pl.col("listed_width")) | (
        pl.col("height") != pl.col("listed_height")
    )
    sizes = ("width", "height", "listed_width", "listed_height")
    reason = pl.format("is {} x {} pixels, the annotations say {} x {}", *sizes)
    images = sieve.drop(images, differs.fill_null(False), reason)  # nobody said of what size
    return sieve.drop(images, pl.col("split").is_null(), listed.without_split)


def _headers(paths: list[AnyPath], emit: Emit) -> pl.DataFrame:
    """Width, height and, where a file cannot be decoded, the fault."""
    found: list[tuple[int, int, str | None]] = []
    batches = [paths[i : i + _BATCH] for i in range(0, len(paths), _BATCH)]
    with ThreadPoolExecutor(threads(*paths[:1])) as pool:
        for headers in pool.map(lambda batch: [_header(path) for path in batch], batches):
            emit(Progress("decode images", len(found), len(paths)))
            found += headers
    emit(Progress("decode images", len(paths), len(paths)))
    schema = {"width": pl.Int32, "height": pl.Int32, "fault": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def _header(path: AnyPath) -> tuple[int, int, str | None]:
    try:
        with Image.open(readable(path)) as image:
            width, height = image.size
            # Every byte is still decoded, but only an eighth of the pixels is made.
            image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
            image.load()
    except UnreachableError:
        raise
    except Exception as error:  # whatever a damaged file makes its decoder raise
        return 0, 0, " ".join(str(error).replace(str(path), path.name).split()) or repr(error)
    return width, height, None
