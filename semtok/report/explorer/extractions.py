"""What an extractor found in single images, as a page draws it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.extract.extracted import in_order
from semtok.extract.image_rows import rows_of
from semtok.extract.masks import MASKS
from semtok.extract.rle import decode
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.report.explorer.outlines import outline
from semtok.report.overlay import largest_first

#: Geometry this close is that of one mask: tokens hold it in float32.
_SAME = 1e-5


@dataclass(frozen=True)
class Found:
    """The masks and relations of one image.

    Attributes:
        masks: `id`, `name`, `score`, `share` of the image, the outline `d` and the place of a name
            `at`: largest first.
        relations: mask ids of subject and object with the predicate between them, and the score:
            best first.
    """

    masks: list[dict[str, Any]]
    relations: list[tuple[int, str, int, float]]


class Extraction:
    """The masks and scene graphs of one partition, by image."""

    def __init__(self, masks: Path, scene_graphs: Path | None) -> None:
        """Read them.

        Args:
            masks: the artifact.
            scene_graphs: that of the same partition; None: there is none yet.

        Raises:
            SemtokError: a shard cannot be read.
        """
        self._masks = in_order(masks, MASKS)
        graphs = SCENE_GRAPHS.columns.empty_table()
        self._graphs = in_order(scene_graphs, SCENE_GRAPHS) if scene_graphs else graphs
        self._of_masks, self._of_graphs = (
            each["image_id"].to_numpy() for each in (self._masks, self._graphs)
        )

    def of(self, image_id: int) -> Found:
        """What was found in one image."""
        masks = largest_first(_rows(self._masks, self._of_masks, image_id))
        relations = _rows(self._graphs, self._of_graphs, image_id)
        return Found(
            [_mask(row) for row in masks],
            [
                (row["subject"], row["predicate"], row["object"], round(row["score"], 3))
                for row in sorted(relations, key=lambda row: -row["score"])
            ],
        )

    def masks_of(self, image_id: int, regions: NDArray[np.float32]) -> list[int | None]:
        """Which masks of an image some regions are.

        Args:
            regions: [R, 5], the geometry that tokens have of them.

        Returns:
            A mask id each; None where there is no such mask.
        """
        rows = _rows(self._masks.drop_columns("counts"), self._of_masks, image_id)
        places = np.array([_geometry(row) for row in rows]).reshape(-1, 5)
        found: list[int | None] = []
        free = np.ones(len(rows), bool)  # two masks may lie in one place
        for each in regions:
            near = np.flatnonzero(free & (np.abs(places - each).max(axis=1) < _SAME))
            free[near[:1]] = False
            found.append(rows[near[0]]["mask_id"] if len(near) else None)
        return found


def _rows(table: pa.Table, image_ids: NDArray[np.int64], image_id: int) -> list[dict[str, Any]]:
    return table[rows_of(image_ids, image_id)].to_pylist()  # type: ignore[no-any-return]


def _mask(row: Mapping[str, Any]) -> dict[str, Any]:
    drawn, at = outline(decode(row["counts"], row["height"], row["width"]))
    return {
        "id": row["mask_id"],
        "name": row["category"],
        "score": round(row["score"], 3),
        "share": round(row["area"] / (row["height"] * row["width"]), 4),
        "d": drawn,
        "at": at,
    }


def _geometry(row: Mapping[str, Any]) -> tuple[float, ...]:
    x, w = (row[side] / row["width"] for side in "xw")
    y, h = (row[side] / row["height"] for side in "yh")
    return x + w / 2, y + h / 2, w, h, row["area"] / (row["height"] * row["width"])
