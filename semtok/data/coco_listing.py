"""What a COCO root lists: images, captions, what is true of what, siblings, and whose split."""

import polars as pl

from semtok.data import coco, documents
from semtok.data.halves import half
from semtok.data.listing import Listing
from semtok.remote import AnyPath, within


def listing(root: AnyPath) -> Listing:
    """Read the annotation files of a COCO root.

    Raises:
        SemtokError: one is damaged.
    """
    images, siblings = _listed_images(root), _listed_siblings(root)
    return Listing(
        images=images.hstack([splits(root, images, siblings)]),
        captions=_listed_captions(root),
        truth=_listed_truth(root),
        siblings=siblings,
        without_split="in none of Karpathy's splits",
        official={within(path, root).as_posix(): path for path in coco.benchmark_files(root)},
    )


def _listed_images(root: AnyPath) -> pl.DataFrame:
    """The images that the annotations name, file by file in their order."""
    fields = {"id": int, "file_name": str, "width": int, "height": int}
    frames = []
    for folder in coco.folders(root):
        path = root / f"annotations/captions_{folder}.json"
        ids, names, widths, heights = documents.columns(
            path, documents.read_json(path), "images", fields
        )
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


def _listed_captions(root: AnyPath) -> pl.DataFrame:
    fields = {"id": int, "image_id": int, "caption": str}
    frames = []
    for folder in coco.folders(root):
        name = f"annotations/captions_{folder}.json"
        path = root / name
        ids, images, texts = documents.columns(
            path, documents.read_json(path), "annotations", fields
        )
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


def _listed_truth(root: AnyPath) -> pl.DataFrame:
    """What is true of what, as the files say."""
    frames = [pl.DataFrame(schema={"caption_id": pl.Int64, "image_id": pl.Int64})]
    for folder in coco.folders(root):
        path = root / f"annotations/truth_{folder}.json"
        if path.exists():
            pairs = documents.integers(path, documents.read_json(path), "pairs", 2)
            frames.append(pl.DataFrame(pairs, schema=frames[0].schema, orient="row"))
    return pl.concat(frames)


def _listed_siblings(root: AnyPath) -> pl.DataFrame:
    ids = {"first_image_id": int, "second_image_id": int}
    fields = {**ids, "kind": str, "first_caption": str, "second_caption": str}
    schema = {name: pl.Int64 if kind is int else pl.String for name, kind in fields.items()}
    frames = [pl.DataFrame(schema=schema)]
    for folder in coco.folders(root):
        path = root / f"annotations/siblings_{folder}.json"
        if path.exists():
            found = documents.columns(path, documents.read_json(path), "pairs", fields)
            frames.append(pl.DataFrame(dict(zip(fields, found, strict=True)), schema=schema))
    return pl.concat(frames)


def splits(root: AnyPath, images: pl.DataFrame, siblings: pl.DataFrame) -> pl.Series:
    """Karpathy's splits where the root has them, else those of the folders; siblings together.

    What lies in a folder of novel images is novel, whatever else is said.
    """
    karpathy = coco.karpathy_splits(root)
    first_of = _firsts(siblings)

    def split(folder: str, image_id: int) -> str | None:
        if folder.startswith("novel"):
            return "novel"
        if karpathy:
            return karpathy.splits.get(image_id, karpathy.others)
        return "train" if folder.startswith("train") else half(first_of.get(image_id, image_id))

    found = [split(*each) for each in images.select("folder", "image_id").iter_rows()]
    return pl.Series("split", found, dtype=pl.String)


def _firsts(siblings: pl.DataFrame) -> dict[int, int]:
    """Each sibling -> the smallest id among all that pairs join it to, through others as well."""
    first_of: dict[int, int] = {}

    def first(image_id: int) -> int:
        while (before := first_of.setdefault(image_id, image_id)) != image_id:
            first_of[image_id] = first_of[before]  # so that the way is half as long the next time
            image_id = before
        return image_id

    for pair in siblings.select("first_image_id", "second_image_id").iter_rows():
        smaller, larger = sorted(map(first, pair))
        first_of[larger] = smaller
    return {image_id: first(image_id) for image_id in list(first_of)}
