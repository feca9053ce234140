"""The stage `extraction_scores`: what models find in clean and in corrupted images, judged.

The networks are shown each image of a split as it is, and once more for each kind and severity of
corruption; what they find there is held against the annotations of the clean image, which hold
whatever was done to its pixels.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from semtok.events import Progress
from semtok.extract.average_precision import average_precision
from semtok.extract.corruptions import CLEAN, Corruption, every
from semtok.extract.extracted import extracted, in_order
from semtok.extract.masks import MASKS
from semtok.extract.matching import told_of
from semtok.extract.relation_recall import CUTS, recall
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.params import ExtractorSettings
from semtok.sharding import Partition
from semtok.tables import TableSchema, write_table

NAME = "scores.parquet"

#: Of masks, then of relations; each 0 to 1.
METRICS = ("AP", "AP50", "AP75", *(f"{each}@{cut}" for each in ("R", "mR") for cut in CUTS))

#: What there was to judge.
COUNTS = ("images", "masks", "relations")

EXTRACTION_SCORES = TableSchema(
    "extraction_scores",
    1,
    pa.schema(
        [
            ("kind", pa.string()),  # of corruption, or clean
            ("severity", pa.int8()),  # 1 to 5; 0: clean
            *((name, pa.int64()) for name in COUNTS),  # images shown, masks and relations found
            *((name, pa.float64()) for name in METRICS),
        ]
    ),
)


def build(
    partition: Partition,
    files: pa.Table,
    extractor: ExtractorSettings,
    models: tuple[Path | None, Path | None],
    truth: tuple[Path, Path],
    severities: Sequence[int],
) -> pa.Table:
    """Judge an extractor on one split; write `scores.parquet`.

    A mask that is set aside, whatever the share of them, and an image that cannot be read are
    nothing found.

    Args:
        partition: the images.
        files: schema `FILES`, those of the data root.
        extractor: whose masks and relations are judged, by its own settings.
        models: that its masks and its scene graphs are made with, where there are any.
        truth: the artifacts `masks` and `scene_graphs` of the same images, annotated.
        severities: 0..5; of each kind of corruption. 0 is the clean image, which is always shown.

    Returns:
        Schema `EXTRACTION_SCORES`: the clean images first, then by kind and severity.

    Raises:
        SemtokError: a model or an artifact cannot be read.
    """
    wanted_masks, wanted_relations = in_order(truth[0], MASKS), in_order(truth[1], SCENE_GRAPHS)
    masks_model, model = models
    # What a network draws amiss in a spoilt image is its failure, and no fault of the data set.
    partition = replace(partition, data=replace(partition.data, rejected_share=1.0))
    rows = []
    asked = [CLEAN, *every(severities)]
    for done, corruption in enumerate(asked):
        partition.emit(Progress("corruptions", done, len(asked)))
        masks, relations = extracted(partition, files, extractor, model, masks_model, corruption)
        told = told_of(relations, masks, wanted_masks)
        scores = average_precision(masks, wanted_masks) | recall(told, wanted_relations)
        counts = (partition.images.num_rows, masks.num_rows, relations.num_rows)
        rows.append(
            corruption._asdict()
            | dict(zip(COUNTS, counts, strict=True))
            | {name: scores[name] for name in METRICS}
        )
    partition.emit(Progress("corruptions", len(asked), len(asked)))
    table = pa.Table.from_pylist(rows, schema=EXTRACTION_SCORES.columns)
    write_table(partition.staging / NAME, table, EXTRACTION_SCORES)
    return table


def metrics(table: pa.Table) -> dict[str, dict[str, float]]:
    """The numbers of `metrics/DATA/PARTITION.json`: corruption -> count or metric -> value.

    Args:
        table: schema `EXTRACTION_SCORES`.
    """
    return {
        str(Corruption(row["kind"], row["severity"])): {
            name: row[name] for name in (*COUNTS, *METRICS)
        }
        for row in table.to_pylist()
    }
