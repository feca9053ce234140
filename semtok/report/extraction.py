"""What a partition of masks or scene graphs holds, at a glance."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from semtok.data.rejects import NO_FAULTS
from semtok.extract.masks import MASKS
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.report import overlay
from semtok.report.summary import Summary, preview
from semtok.sharding import Partition
from semtok.tables import REJECTED, TableSchema, read_table

#: Images on a contact sheet.
_PICTURED = 8

_PICTURE = "preview.png"


def draw(partition: Partition, masks: Path, scene_graphs: Path | None) -> Summary:
    """Draw the first images of a partition with what was found in them, into its staging folder.

    Args:
        masks: their artifact, or the folder that is to become it.
        scene_graphs: likewise; None before there are any.
    """
    found = _rows(masks, MASKS)
    relations = _rows(scene_graphs, SCENE_GRAPHS) if scene_graphs else None
    overlay.draw(
        partition.images.slice(0, _PICTURED),
        partition.root,
        found,
        SCENE_GRAPHS.columns.empty_table() if relations is None else relations,
        partition.staging / _PICTURE,
    )
    numbers = {"images": partition.images.num_rows, "masks": found.num_rows}
    if relations is not None:
        numbers["relations"] = relations.num_rows
    numbers |= _set_aside(partition.staging)
    return Summary(numbers, preview(found if relations is None else relations), (_PICTURE,))


def draw_found(
    images: Partition, masks: pa.Table, relations: pa.Table | None, numbers: Mapping[str, float]
) -> Summary:
    """Draw what a model finds in the first images of a partition, into its staging folder.

    Args:
        masks: schema `MASKS`.
        relations: schema `SCENE_GRAPHS`; None where the model finds masks alone.
        numbers: what else there is to say.
    """
    overlay.draw(
        images.images.slice(0, _PICTURED),
        images.root,
        masks,
        SCENE_GRAPHS.columns.empty_table() if relations is None else relations,
        images.staging / _PICTURE,
    )
    return Summary(numbers, preview(masks if relations is None else relations), (_PICTURE,))


def _set_aside(folder: Path) -> dict[str, int]:
    """How many inputs were set aside, by what is no fault; the others together."""
    reasons = read_table(folder / "rejected.parquet", REJECTED)["reason"].to_pylist()
    counts = Counter(each if each in NO_FAULTS else "faulty" for each in reasons)
    return {f"set aside: {reason}": count for reason, count in sorted(counts.items())}


def _rows(folder: Path, schema: TableSchema) -> pa.Table:
    shards = sorted(folder.glob("[0-9]*.parquet"))
    return pa.concat_tables(read_table(path, schema) for path in shards)
