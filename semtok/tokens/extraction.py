"""What an extractor found in one image: the input of tokenizers, beside its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.extract import rle
from semtok.extract.image_rows import rows_of
from semtok.extract.masks import MASKS
from semtok.extract.rle import Runs
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.tables import read_table
from semtok.tokens.rows import Int


@dataclass(frozen=True)
class Extraction:
    """The M masks and E relations of one image. What the masks show is not among it.

    Attributes:
        height, width: of the image that the masks were found in, in pixels.
        mask_id: [M] int64, unique within the image, not negative.
        boxes: [M, 4] int64, tight x, y, w, h in pixels, w and h at least 1.
        areas: [M] int64 in pixels.
        mask_scores: [M] float32.
        runs: the masks themselves, M uncompressed COCO RLEs.
        relations: [E, 2] int64, mask ids of subject and object.
        predicates: [E] names (dtype object).
        scores: [E] float32, of the relations.
    """

    height: int
    width: int
    mask_id: Int
    boxes: Int
    areas: Int
    mask_scores: NDArray[np.float32]
    runs: Runs
    relations: Int
    predicates: NDArray[Any]
    scores: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        runs: Runs,
        height: int,
        width: int,
        relations: Sequence[tuple[int, int]] = (),
        predicates: Sequence[str] = (),
    ) -> "Extraction":
        """Take masks and relations that were not read from shards.

        Args:
            runs: canonical runs of M masks, none empty, each summing to the image's pixels.
            height, width: of the image in pixels.
            relations: numbers (0..M-1) of subject and object.
            predicates: a name per relation.
        """
        if not len(runs):
            return WHOLE_IMAGE
        areas, boxes = rle.measure(runs, np.full(len(runs), height))
        return cls(
            height=height,
            width=width,
            mask_id=np.arange(len(runs)),
            boxes=boxes,
            areas=areas,
            mask_scores=np.ones(len(runs), np.float32),
            runs=runs,
            relations=np.array(relations, np.int64).reshape(-1, 2),
            predicates=np.array(predicates, object),
            scores=np.ones(len(relations), np.float32),
        )


#: Nothing was found: one mask over the whole image, whatever its size.
WHOLE_IMAGE = Extraction.of(Runs.of([[0, 1]]), height=1, width=1)


class ExtractionShard:
    """The extractions of one shard's images."""

    def __init__(self, masks: pa.Table, scene_graphs: pa.Table) -> None:
        """Take the tables of a shard.

        Args:
            masks: schema `MASKS`, ordered by image_id, mask_id.
            scene_graphs: schema `SCENE_GRAPHS`, the relations among them, ordered by image_id.
        """
        table = masks
        self._image = _numbers(table, "image_id")
        self._mask_id = _numbers(table, "mask_id")
        self._boxes = np.stack([_numbers(table, name) for name in "xywh"], axis=1)
        self._areas = _numbers(table, "area")
        self._mask_scores = table["score"].to_numpy()
        self._height, self._width = _numbers(table, "height"), _numbers(table, "width")
        counts = table["counts"].combine_chunks()
        self._counts = counts.flatten().to_numpy().astype(np.int64)
        self._offsets = rle.starts(counts.value_lengths().to_numpy().astype(np.int64))
        table = scene_graphs
        self._image_of_relation = _numbers(table, "image_id")
        self._relations = np.stack(
            [_numbers(table, name) for name in ("subject", "object")], axis=1
        )
        self._predicates = table["predicate"].to_numpy()
        self._scores = table["score"].to_numpy()

    @classmethod
    def read(cls, masks: Path, scene_graphs: Path) -> "ExtractionShard":
        """Read a shard of masks and the shard of scene graphs that belongs to it.

        Raises:
            SemtokError: a file is missing, damaged or of another schema.
        """
        return cls(read_table(masks, MASKS), read_table(scene_graphs, SCENE_GRAPHS))

    def of(self, image_id: int) -> Extraction:
        """What was found in one image: `WHOLE_IMAGE` where nothing was."""
        masks = rows_of(self._image, image_id)
        if masks.start == masks.stop:
            return WHOLE_IMAGE
        relations = rows_of(self._image_of_relation, image_id)
        offsets = self._offsets[masks.start : masks.stop + 1]
        return Extraction(
            height=int(self._height[masks.start]),
            width=int(self._width[masks.start]),
            mask_id=self._mask_id[masks],
            boxes=self._boxes[masks],
            areas=self._areas[masks],
            mask_scores=self._mask_scores[masks],
            runs=Runs(self._counts[offsets[0] : offsets[-1]], offsets - offsets[0]),
            relations=self._relations[relations],
            predicates=self._predicates[relations],
            scores=self._scores[relations],
        )


def _numbers(table: pa.Table, name: str) -> Int:
    return np.asarray(table[name].to_numpy()).astype(np.int64)
