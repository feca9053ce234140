"""What the training annotations of a data set name, to hold against what a model names."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from semtok.data import documents
from semtok.json_files import write_json
from semtok.remote import AnyPath
from semtok.workspace import fingerprint

NAME = "annotated_categories.json"

#: The category of every mask of a model that tells masks apart and names none.
UNNAMED = "region"

_KINDS = ("panoptic", "instances")


def hand_down(root: AnyPath, files: pa.Table, staging: Path, state: Path) -> None:
    """Write how many masks of each category are annotated in the training folders.

    Nothing is written where nothing is annotated. Panoptic annotations, which name things and
    stuff, go before those of instances; crowds do not count. The annotations, half a gigabyte of
    COCO's, are read once: their counts are kept by their hash.

    Args:
        root: the data root.
        files: schema `FILES`, those of the root.
        staging: the folder to write to.
        state: a folder for the counts.

    Raises:
        SemtokError: an annotation file is damaged.
    """
    for kind in _KINDS:
        ours = files.filter(pc.match_like(files["path"], f"annotations/{kind}_train%.json"))
        if not ours.num_rows:
            continue
        kept = state / f"{fingerprint(kind, *ours['sha256'].to_pylist())}.json"
        if not kept.exists():
            total: Counter[str] = Counter()
            for name in ours["path"].to_pylist():
                total += _count(root / name, kind)
            state.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(".partial")
            write_json(partial, total)
            partial.replace(kept)
        shutil.copyfile(kept, staging / NAME)
        return


def _count(path: AnyPath, kind: str) -> Counter[str]:
    """Category -> annotated masks."""
    document = documents.read_json(path)
    names = documents.categories(path, document)
    tables = {"annotations": document.get("annotations")}
    if kind == "panoptic":
        fields = {"segments_info": list}
        (segments,) = documents.columns(path, document, "annotations", fields)
        tables = {f"annotations[{at}].segments_info": each for at, each in enumerate(segments)}
    total: Counter[str] = Counter()
    for table, masks in tables.items():
        (ids,) = documents.columns(path, {table: masks}, table, {"category_id": int})
        total.update(
            names[category_id]
            for category_id, mask in zip(ids, masks, strict=True)
            if category_id in names and not mask.get("iscrowd")
        )
    return total
