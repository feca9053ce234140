"""What an extractor finds in some images, without an artifact: to learn from, or to be judged.

What the extractors' own networks learn from is extracted anew and not read from
`masks@annotated-train`: the stage that makes those is to use what is trained here, and Dagster's
assets must not form a ring.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from semtok.events import ignore
from semtok.extract import masks, scene_graphs
from semtok.extract.corruptions import CLEAN, Corruption
from semtok.params import ExtractorSettings, WorkersSettings
from semtok.sharding import Partition
from semtok.tables import TableSchema, read_table


def extracted_masks(
    partition: Partition, files: pa.Table, extractor: ExtractorSettings, model: Path | None = None
) -> pa.Table:
    """The masks of a partition's images, as the stage `masks` would make them.

    Args:
        partition: whose; its folders are left alone.
        files, extractor, model: as `masks.build`.

    Returns:
        Schema `MASKS`, ordered by image_id, mask_id.

    Raises:
        SemtokError: as `masks.build`.
    """
    with TemporaryDirectory() as name:
        masks.build(_apart(partition, Path(name)), files, extractor, model)
        return in_order(Path(name), masks.MASKS)


def extracted(
    partition: Partition,
    files: pa.Table,
    extractor: ExtractorSettings,
    model: Path | None = None,
    masks_model: Path | None = None,
    corruption: Corruption = CLEAN,
) -> tuple[pa.Table, pa.Table]:
    """The masks of a partition's images and the relations among them.

    Args:
        partition, files, extractor: as `extracted_masks`.
        model: that scene graphs are made with, if there is one.
        masks_model: that masks are made with, if there is one.
        corruption: of the images that both are shown.

    Returns:
        Schemas `MASKS` and `SCENE_GRAPHS`, ordered by image_id.

    Raises:
        SemtokError: as `masks.build` and `scene_graphs.build`.
    """
    with TemporaryDirectory() as name:
        folders = [Path(name) / each for each in ("masks", "scene_graphs")]
        for folder in folders:
            folder.mkdir()
        masks.build(_apart(partition, folders[0]), files, extractor, masks_model, corruption)
        apart = _apart(partition, folders[1])
        scene_graphs.build(apart, files, folders[0], extractor, model, corruption)
        graphs = in_order(folders[1], scene_graphs.SCENE_GRAPHS)
        return in_order(folders[0], masks.MASKS), graphs


def in_order(folder: Path, schema: TableSchema) -> pa.Table:
    """All rows of an artifact in shards, ordered by image_id, and within an image as they were."""
    shards = sorted(folder.glob("[0-9]*.parquet"))
    table = pa.concat_tables(read_table(path, schema) for path in shards)
    return table.take(np.argsort(table["image_id"].to_numpy(), kind="stable"))


def _apart(partition: Partition, folder: Path) -> Partition:
    """The same images elsewhere, in this process: what an image takes is measured here."""
    alone = WorkersSettings()
    return replace(partition, staging=folder, published=folder / "none", emit=ignore, workers=alone)
