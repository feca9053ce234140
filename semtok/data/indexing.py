"""The stage `index`: images, captions and splits as tables, and what was set aside."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow as pa
from PIL import Image

from semtok.data import coco, rejects
from semtok.data.halves import half
from semtok.data.index import BENCHMARKS, CAPTIONS, IMAGES, SIBLINGS, SPLITS, TRUTH
from semtok.events import Emit, Progress, ignore
from semtok.params import DataSettings
from semtok.tables import REJECTED, write_table

#: Images that one thread decodes between two progress events.
_BATCH = 64


def build(
    root: Path, files: pa.Table, settings: DataSettings, staging: Path, emit: Emit = ignore
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
    listed = _listed_images(root)
    siblings = _listed_siblings(root)
    images = _sound_images(root, listed, siblings, files, sieve, emit)
    captions = sieve.drop(_listed_captions(root), _repeats("source_id"), "repeats a caption id")
    captions = sieve.drop(captions, ~_known(listed), "no image of that id")
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
    truth = _truth(root, images, captions)
    for name, frame, schema in (
        ("images", images, IMAGES),
        ("captions", captions, CAPTIONS),
        ("truth", truth, TRUTH),
        ("siblings", _kept_siblings(siblings, images), SIBLINGS),
        ("splits", images, SPLITS),
        ("rejected", bad, REJECTED),
    ):
        rows = frame.select(schema.columns.names).to_arrow()
        write_table(staging / f"{name}.parquet", rows, schema)
    for name in files["path"].to_pylist():
        if coco.is_of_a_benchmark(root / name, root):
            target = staging / BENCHMARKS / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)


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


def _listed_images(root: Path) -> pl.DataFrame:
    """The images that the annotations name, file by file in their order."""
    fields = {"id": int, "file_name": str, "width": int, "height": int}
    frames = []
    for folder in coco.folders(root):
        path = root / f"annotations/captions_{folder}.json"
        ids, names, widths, heights = coco.columns(path, coco.read_json(path), "images", fields)
        frames.append(
            pl.DataFrame(
                {
                    "image_id": pl.Series(ids, dtype=pl.Int64),
                    "source_id": pl.Series([None] * len(ids), dtype=pl.Int64),
                    "file": pl.Series([f"{folder}/{name}" for name in names], dtype=pl.String),
                    "folder": pl.Series([folder] * len(ids), dtype=pl.String),
                    "listed_width": pl.Series(widths, dtype=pl.Int64),
                    "listed_height": pl.Series(heights, dtype=pl.Int64),
                }
            )
        )
    return pl.concat(frames)


def _listed_captions(root: Path) -> pl.DataFrame:
    fields = {"id": int, "image_id": int, "caption": str}
    frames = []
    for folder in coco.folders(root):
        name = f"annotations/captions_{folder}.json"
        path = root / name
        ids, images, texts = coco.columns(path, coco.read_json(path), "annotations", fields)
        frames.append(
            pl.DataFrame(
                {
                    "image_id": pl.Series(images, dtype=pl.Int64),
                    "source_id": pl.Series(ids, dtype=pl.Int64),
                    "file": pl.Series([name] * len(ids), dtype=pl.String),
                    "caption": pl.Series(texts, dtype=pl.String),
                }
            )
        )
    return pl.concat(frames)


def _truth(root: Path, images: pl.DataFrame, captions: pl.DataFrame) -> pl.DataFrame:
    """What is true of what, among the images and captions that are kept, within a split."""
    frames = [pl.DataFrame(schema={"caption_id": pl.Int64, "image_id": pl.Int64})]
    for folder in coco.folders(root):
        path = root / f"annotations/truth_{folder}.json"
        if path.exists():
            pairs = coco.integers(path, coco.read_json(path), "pairs", 2)
            frames.append(pl.DataFrame(pairs, schema=frames[0].schema, orient="row"))
    split_of = images.select("image_id", "split")
    owners = captions.select("caption_id", "image_id").join(split_of, on="image_id")
    return (
        pl.concat(frames)
        .join(split_of, on="image_id")
        .join(owners.select("caption_id", "split"), on=["caption_id", "split"])
        .select("caption_id", "image_id")
        .unique()
        .sort("caption_id", "image_id")
    )


def _listed_siblings(root: Path) -> pl.DataFrame:
    ids = {"first_image_id": int, "second_image_id": int}
    fields = {**ids, "kind": str, "first_caption": str, "second_caption": str}
    schema = {name: pl.Int64 if kind is int else pl.String for name, kind in fields.items()}
    frames = [pl.DataFrame(schema=schema)]
    for folder in coco.folders(root):
        path = root / f"annotations/siblings_{folder}.json"
        if path.exists():
            found = coco.columns(path, coco.read_json(path), "pairs", fields)
            frames.append(pl.DataFrame(dict(zip(fields, found, strict=True)), schema=schema))
    return pl.concat(frames)


def _kept_siblings(siblings: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Those of which both images are kept, in one split."""
    split_of = images.select("image_id", "split")
    for end in ("first", "second"):
        named = split_of.rename({"image_id": f"{end}_image_id", "split": f"{end}_split"})
        siblings = siblings.join(named, on=f"{end}_image_id")
    return siblings.filter(first_split=pl.col("second_split")).sort("first_image_id")


def _sound_images(
    root: Path,
    listed: pl.DataFrame,
    siblings: pl.DataFrame,
    files: pa.Table,
    sieve: _Sieve,
    emit: Emit,
) -> pl.DataFrame:
    """The images that can be read and have a split, with the size in their header."""
    images = sieve.drop(listed, _repeats("image_id"), "repeats an image id")
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
    images = sieve.drop(images, differs, reason)
    images = images.hstack([_splits(root, images, siblings)])
    return sieve.drop(images, pl.col("split").is_null(), "in none of Karpathy's splits")


def _headers(paths: list[Path], emit: Emit) -> pl.DataFrame:
    """Width, height and, where a file cannot be decoded, the fault."""
    found: list[tuple[int, int, str | None]] = []
    batches = [paths[i : i + _BATCH] for i in range(0, len(paths), _BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for headers in threads.map(lambda batch: [_header(path) for path in batch], batches):
            emit(Progress("decode images", len(found), len(paths)))
            found += headers
    emit(Progress("decode images", len(paths), len(paths)))
    schema = {"width": pl.Int32, "height": pl.Int32, "fault": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def _header(path: Path) -> tuple[int, int, str | None]:
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Every byte is still decoded, but only an eighth of the pixels is made.
            image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
            image.load()
    except Exception as error:  # whatever a damaged file makes its decoder raise
        return 0, 0, " ".join(str(error).replace(str(path), path.name).split()) or repr(error)
    return width, height, None


def _splits(root: Path, images: pl.DataFrame, siblings: pl.DataFrame) -> pl.Series:
    """Karpathy's splits where the root has them, else those of the folders; siblings together.

    What lies in novel2017 is novel, whatever else is said.
    """
    karpathy = coco.karpathy_splits(root)
    ids = (siblings[f"{end}_image_id"].to_list() for end in ("second", "first"))
    first_of = dict(zip(*ids, strict=True))

    def split(folder: str, image_id: int) -> str | None:
        if folder == "novel2017":
            return "novel"
        if karpathy:
            return karpathy.splits.get(image_id, karpathy.others)
        return "train" if folder == "train2017" else half(first_of.get(image_id, image_id))

    found = [split(*each) for each in images.select("folder", "image_id").iter_rows()]
    return pl.Series("split", found, dtype=pl.String)
