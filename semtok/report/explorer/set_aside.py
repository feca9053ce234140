"""What stages set aside of the images of a page, and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from semtok.tables import REJECTED, read_table


@dataclass(frozen=True)
class SetAside:
    """Inputs that stages left out.

    Attributes:
        of_images: image id -> stage with its partition, entry (annotation, segment, caption;
            nothing: the whole image) and reason.
        without_page: file and reason of whole images that the index left out: no split has them.
    """

    of_images: Mapping[int, list[tuple[str, str, str]]]
    without_page: list[tuple[str, str]]


def read(stages: Mapping[str, Path], index: Path, image_ids: Collection[int]) -> SetAside:
    """Read what was set aside.

    Args:
        stages: key -> artifact, in the order of the line; each with `rejected.parquet`.
        index: the artifact of `index`.
        image_ids: those of the page.

    Raises:
        SemtokError: a list cannot be read.
    """
    found: dict[int, list[tuple[str, str, str]]] = {}
    known = pa.array(sorted(image_ids), pa.int64())
    for key, folder in {"index": index, **stages}.items():
        table = read_table(folder / "rejected.parquet", REJECTED)
        for row in table.filter(pc.is_in(table["image_id"], known)).to_pylist():
            entry = "" if row["source_id"] is None else f"entry {row['source_id']}"
            found.setdefault(row["image_id"], []).append((key, entry, row["reason"]))
    rejected = read_table(index / "rejected.parquet", REJECTED)
    whole = rejected.filter(pc.is_null(rejected["source_id"]))
    left_out = [(row["file"], row["reason"]) for row in whole.to_pylist()]
    return SetAside(found, left_out)
