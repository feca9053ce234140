"""Token shards at rest: their schemas, their writer and the memory-mapped reader.

Arrow IPC, one row an image, ragged columns. The families of columns (pixels, regions, pixels with
the regions that relate them, superpixels) are told apart by the file alone, so that nothing that
trains or scores imports a tokenizer.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from semtok.errors import SemtokError
from semtok.tables import FINGERPRINT, TableSchema, read_metadata, read_table, write_table
from semtok.tokens.columns import Column, fixed, offsets, ragged, spans, starts, values
from semtok.tokens.rows import (
    Int,
    PixelRows,
    RegionRows,
    RelatedPixelRows,
    Rows,
    SuperpixelRows,
)

#: Key of the file's metadata that holds {"scheme": ..., "settings": {...}} as JSON.
TOKENS = "semtok.tokens"


class TokenShards:
    """The token shards of one partition, memory-mapped: a row is read when it is asked for.

    In memory lie 24 bytes an image (its id and where its rows start), nothing else.
    """

    def __init__(self, folder: Path, predicates: Sequence[str] | None = None) -> None:
        """Open every shard of a folder.

        Args:
            folder: a published artifact `token_shards/TOKENIZER-SPLIT`.
            predicates: the vocabulary of `edge_predicate` (a checkpoint's, where one is scored);
                default: the sorted names that occur in the folder.

        Raises:
            SemtokError: no shard, no image, or shards of different tokenizers.
        """
        tables = _open(folder)
        self.folder = folder
        self.tokens: dict[str, Any] = json.loads(read_metadata(_paths(folder)[0])[TOKENS])
        #: [images] int64, in the order of `rows`' indices.
        self.image_ids: Int = np.concatenate([values(each["image_id"]) for each in tables])
        self._rows_before = starts([each.num_rows for each in tables])
        self._has_pixels, self._has_regions = _families(tables[0].schema)
        self.predicates: tuple[str, ...] = ()
        if self._has_pixels:
            shape = pixels_shape(tables[0].schema)
            self._pixels = Column([values(t["pixels"]).reshape(-1, *shape) for t in tables])
        if not self._has_regions:
            return
        self._first_region = offsets([each["features"].chunk(0) for each in tables])
        self._features = Column([values(each["features"]) for each in tables])
        self._geometry = Column([values(each["geometry"]) for each in tables])
        self._has_owners = "owners" in tables[0].column_names
        if self._has_owners:
            self._owners = Column([values(each["owners"]) for each in tables])
            return
        self._first_edge = offsets([each["edge_ends"].chunk(0) for each in tables])
        self._neighbours = Column([values(each["neighbours"]) for each in tables])
        self._edge_ends = Column([values(each["edge_ends"]) for each in tables])
        names = [each["edge_predicate"].chunk(0).values for each in tables]
        self._edge_predicate = Column([each.indices.to_numpy() for each in names])
        vocabularies = [each.dictionary.to_pylist() for each in names]
        found = sorted({name for each in vocabularies for name in each})
        self.predicates = tuple(found if predicates is None else predicates)
        known = {name: number for number, name in enumerate(self.predicates, start=1)}
        # A shard numbers its own predicates; this turns its numbers into the vocabulary's.
        self._predicate_ids = np.array([known.get(n, 0) for v in vocabularies for n in v], np.int64)
        self._predicates_before = starts([len(each) for each in vocabularies])

    def __len__(self) -> int:
        """The number of images."""
        return len(self.image_ids)

    def rows(self, indices: Int) -> Rows:
        """Copy the rows of some images out of the shards.

        Args:
            indices: [B] int64, 0..len-1, in any order; sorted ones are gathered fastest.

        Raises:
            IndexError: an index is out of range.
        """
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self):
            raise IndexError(f"{self.folder} holds {len(self)} images; asked for {indices}")
        if not self._has_regions:
            return PixelRows(self.image_ids[indices], self._pixels.take(indices))
        if self._has_owners:
            return self._superpixels(indices)
        regions = self._regions(indices)
        if not self._has_pixels:
            return regions
        return RelatedPixelRows(self._pixels.take(indices), regions)

    def _superpixels(self, indices: Int) -> SuperpixelRows:
        counts, regions = spans(self._first_region, indices)
        owners = self._owners.take(indices)
        side = math.isqrt(owners.shape[1])
        return SuperpixelRows(
            image_ids=self.image_ids[indices],
            owners=owners.reshape(-1, side, side),
            region_counts=counts,
            features=self._features.take(regions),
            geometry=self._geometry.take(regions),
        )

    def _regions(self, indices: Int) -> RegionRows:
        region_counts, regions = spans(self._first_region, indices)
        edge_counts, edges = spans(self._first_edge, indices)
        shard = np.searchsorted(self._rows_before, indices, side="right") - 1
        numbers = np.repeat(self._predicates_before[shard], edge_counts)
        return RegionRows(
            image_ids=self.image_ids[indices],
            region_counts=region_counts,
            features=self._features.take(regions),
            geometry=self._geometry.take(regions),
            neighbours=self._neighbours.take(regions),
            edge_counts=edge_counts,
            edge_ends=self._edge_ends.take(edges),
            edge_predicate=self._predicate_ids[numbers + self._edge_predicate.take(edges)],
        )


def pixels_schema(image_size: int, channels: int = 3) -> TableSchema:
    """Shards of whole images at `image_size` x `image_size`, row by row.

    Args:
        image_size: pixels a side.
        channels: 3 for RGB, 4 where the mask map follows it.
    """
    columns = [("image_id", pa.int64()), _pixels_column(image_size, channels)]
    return TableSchema("pixel token shard", 1, pa.schema(columns))


def regions_schema(crop_size: int, neighbours: int) -> TableSchema:
    """Shards of regions (columns as in `rows.Regions`): k = `crop_size`, K = `neighbours`."""
    columns = [("image_id", pa.int64()), *_region_columns(crop_size**2 * 4, neighbours)]
    return TableSchema("region token shard", 1, pa.schema(columns))


def region_features_schema(dimension: int, neighbours: int) -> TableSchema:
    """Shards of regions whose features are D = `dimension` float16 of a backbone."""
    columns = _region_columns(dimension, neighbours, pa.float16())
    schema = pa.schema([("image_id", pa.int64()), *columns])
    return TableSchema("region feature token shard", 1, schema)


def related_pixels_schema(image_size: int, cells: int) -> TableSchema:
    """Shards of whole images, RGB, and of the regions that relate their patches.

    Args:
        image_size: pixels a side.
        cells: c a side, of which each region says how much it covers.
    """
    columns = [("image_id", pa.int64()), _pixels_column(image_size, 3)]
    columns += _region_columns(cells**2, 0)
    return TableSchema("related pixel token shard", 1, pa.schema(columns))


def superpixels_schema(image_size: int, crop_size: int, geometry: int) -> TableSchema:
    """Shards of superpixels (columns as in `rows.Superpixels`).

    Args:
        image_size: S, pixels a side.
        crop_size: k.
        geometry: G.
    """
    columns = [
        ("image_id", pa.int64()),
        ("owners", pa.list_(pa.uint16(), image_size**2)),
        ("features", pa.list_(pa.list_(pa.uint8(), crop_size**2 * 4))),
        ("geometry", pa.list_(pa.list_(pa.uint16(), geometry))),
    ]
    return TableSchema("superpixel token shard", 1, pa.schema(columns))


def pixels_shape(columns: pa.Schema) -> tuple[int, int, int]:
    """Height, width and channels of the images of a shard with such columns."""
    size = columns.field("pixels").type.list_size
    side = math.isqrt(size // 3)
    # Three times a square is never four times another one (3/4 is no square of a fraction).
    if side**2 * 3 == size:
        return side, side, 3
    side = math.isqrt(size // 4)
    return side, side, 4


def _pixels_column(image_size: int, channels: int) -> tuple[str, pa.DataType]:
    return "pixels", pa.list_(pa.uint8(), image_size**2 * channels)


def _region_columns(
    features: int, neighbours: int, number: pa.DataType | None = None
) -> list[tuple[str, pa.DataType]]:
    return [
        ("features", pa.list_(pa.list_(number or pa.uint8(), features))),
        ("geometry", pa.list_(pa.list_(pa.float32(), 5))),
        ("neighbours", pa.list_(pa.list_(pa.int16(), neighbours))),
        ("edge_ends", pa.list_(pa.list_(pa.int16(), 2))),
        ("edge_predicate", pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    ]


def write(
    path: Path,
    schema: TableSchema,
    rows: Rows | None,
    predicates: Sequence[str],
    tokens: Mapping[str, Any],
    fingerprint: str,
) -> None:
    """Write one shard.

    Args:
        path: the `.arrow` file.
        schema: of the family of `rows`.
        rows: its images, in order of their ids; None where it holds none.
        predicates: the names that `rows.edge_predicate` numbers from 1; each must occur.
        tokens: {"scheme": ..., "settings": {...}}.
        fingerprint: of the shard's inputs, settings and source.
    """
    table = schema.columns.empty_table()
    if rows is not None:
        columns = _columns(rows, predicates)
        table = pa.table({name: columns[name] for name in schema.columns.names})
    metadata = {FINGERPRINT: fingerprint, TOKENS: json.dumps(tokens, sort_keys=True)}
    write_table(path, table, schema, metadata)


def _columns(rows: Rows, predicates: Sequence[str]) -> dict[str, pa.Array]:
    if isinstance(rows, RelatedPixelRows):
        pixels = PixelRows(rows.image_ids, rows.pixels)
        return _columns(rows.regions, predicates) | _columns(pixels, predicates)
    ids = pa.array(rows.image_ids)
    if isinstance(rows, PixelRows):
        return {"image_id": ids, "pixels": fixed(rows.pixels.reshape(len(ids), -1))}
    regions = starts(rows.region_counts)
    described = {
        "image_id": ids,
        "features": ragged(regions, fixed(rows.features)),
        "geometry": ragged(regions, fixed(rows.geometry)),
    }
    if isinstance(rows, SuperpixelRows):
        return described | {"owners": fixed(rows.owners.reshape(len(ids), -1))}
    edges = starts(rows.edge_counts)
    names = pa.DictionaryArray.from_arrays(
        pa.array(rows.edge_predicate - 1, pa.int32()), pa.array(predicates, pa.string())
    )
    return described | {
        "neighbours": ragged(regions, fixed(rows.neighbours)),
        "edge_ends": ragged(edges, fixed(rows.edge_ends)),
        "edge_predicate": ragged(edges, names),
    }


def _open(folder: Path) -> list[pa.Table]:
    """The tables of the shards that hold images."""
    paths = _paths(folder)
    if not paths:
        raise SemtokError(f"{folder}: holds no token shards; run token_shards@{folder.name}")
    schema = _schema(paths[0])
    tables = [each for path in paths if (each := read_table(path, schema)).num_rows]
    if not tables:
        raise SemtokError(f"{folder}: its token shards hold no image; look into rejected.parquet")
    return tables


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.arrow"))


def _schema(path: Path) -> TableSchema:
    """The schema that a shard must have, from the sizes that its columns name."""
    if not read_metadata(path):
        raise SemtokError(f"{path}: unreadable; delete it and run its stage")
    columns = pa.ipc.open_file(pa.memory_map(str(path))).schema
    has_pixels, has_regions = _families(columns)
    if not has_regions:
        return pixels_schema(*pixels_shape(columns)[1:])
    features = columns.field("features").type.value_type.list_size
    if "owners" in columns.names:
        side = math.isqrt(columns.field("owners").type.list_size)
        geometry = columns.field("geometry").type.value_type.list_size
        return superpixels_schema(side, math.isqrt(features // 4), geometry)
    if has_pixels:
        return related_pixels_schema(pixels_shape(columns)[0], math.isqrt(features))
    neighbours = columns.field("neighbours").type.value_type.list_size
    if pa.types.is_float16(columns.field("features").type.value_type.value_type):
        return region_features_schema(features, neighbours)
    return regions_schema(math.isqrt(features // 4), neighbours)


def _families(columns: pa.Schema) -> tuple[bool, bool]:
    """Whether a shard holds pixels, and whether it holds regions."""
    return "pixels" in columns.names, "features" in columns.names
