"""What a model card says of the data: licences of the images, and what of train others repeat."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from semtok.data import coco, documents
from semtok.data.index import CAPTIONS, IMAGES, SPLITS
from semtok.remote import AnyPath
from semtok.tables import read_table

#: Of an image whose annotations name none.
UNSTATED = "not stated"

#: What a licence may be numbered by.
_ID = int | float | str


def facts(index: Path, root: AnyPath) -> dict[str, dict[str, Any]]:
    """Count, split by split, what stands on a card.

    Args:
        index: the artifact.
        root: the data root, whose caption files say which licence each image is under.

    Returns:
        Split -> `images`, `captions`, `licences` (name -> images), and of all splits but train
        what a model has seen in training: `seen_images` (the same bytes) and `seen_captions` (the
        same words, case and blanks aside).

    Raises:
        SemtokError: a file is missing or damaged.
    """
    licence_of = _licences(root)
    images, captions, splits = (
        pl.DataFrame(read_table(index / f"{name}.parquet", schema))
        for name, schema in (("images", IMAGES), ("captions", CAPTIONS), ("splits", SPLITS))
    )
    images = images.join(splits, on="image_id")
    words = pl.col("caption").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    captions = captions.join(splits, on="image_id").with_columns(words)
    found: dict[str, dict[str, Any]] = {}
    of_train = pl.col("split") == "train"
    known = (
        images.filter(of_train)["sha256"].implode(),
        captions.filter(of_train)["caption"].implode(),
    )
    for split in splits["split"].unique(maintain_order=True).sort().to_list():
        own, told = (each.filter(pl.col("split") == split) for each in (images, captions))
        licences = Counter(licence_of.get(each, UNSTATED) for each in own["image_id"].to_list())
        found[split] = {
            "images": own.height,
            "captions": told.height,
            "licences": dict(sorted(licences.items())),
        }
        if split != "train":
            found[split] |= {
                "seen_images": own.filter(pl.col("sha256").is_in(known[0])).height,
                "seen_captions": told.filter(pl.col("caption").is_in(known[1])).height,
            }
    return found


def _licences(root: AnyPath) -> dict[int, str]:
    """Image id -> name of its licence, where the annotations say one."""
    found = {}
    for folder in coco.folders(root):
        path = root / f"annotations/captions_{folder}.json"
        document = documents.read_json(path)
        # Nobody has checked what is said of licences: what names none is passed over.
        listed = document.get("licenses")
        names = {
            each["id"]: str(each.get("name"))
            for each in (listed if isinstance(listed, list) else ())
            if isinstance(each, dict) and isinstance(each.get("id"), _ID)
        }
        for image in document.get("images", []):
            licence = image.get("license")
            if isinstance(licence, _ID) and licence in names:
                found[image["id"]] = names[licence]
    return found
