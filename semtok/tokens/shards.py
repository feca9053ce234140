"""Token shards at rest: their schemas, their writer and the memory-mapped reader.

Arrow IPC, one row an image, ragged columns. The families of columns (pixels, regions, pixels with
the regions that relate them) are told apart by the file alone, so that nothing that trains or
scores imports a tokenizer.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.errors import SemtokError
from semtok.tables import FINGERPRINT, TableSchema, read_metadata, read_table, write_table
from semtok.tokens.rows import Int, PixelRows, RegionRows, RelatedPixelRows, Rows

#: Key of the file's metadata that holds {"scheme": ..., "settings": {...}} as JSON.
TOKENS = "semtok.tokens"

#: Folder beside the shards: the same images once more, of corrupted pixels, in `KIND-SEVERITY`.
CORRUPTED = "corrupted"


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
        self.image_ids: Int = np.concatenate([_values(each["image_id"]) for each in tables])
        self._rows_before = _starts([each.num_rows for each in tables])
        self._has_pixels, self._has_regions = _families(tables[0].schema)
        self.predicates: tuple[str, ...] = ()
        if self._has_pixels:
            shape = pixels_shape(tables[0].schema)
            self._pixels = _Column([_values(t["pixels"]).reshape(-1, *shape) for t in tables])
        if not self._has_regions:
            return
        self._first_region = _offsets([each["features"].chunk(0) for each in tables])
        self._first_edge = _offsets([each["edge_ends"].chunk(0) for each in tables])
        self._features = _Column([_values(each["features"]) for each in tables])
        self._geometry = _Column([_values(each["geometry"]) for each in tables])
        self._neighbours = _Column([_values(each["neighbours"]) for each in tables])
        self._edge_ends = _Column([_values(each["edge_ends"]) for each in tables])
        names = [each["edge_predicate"].chunk(0).values for each in tables]
        self._edge_predicate = _Column([each.indices.to_numpy() for each in names])
        vocabularies = [each.dictionary.to_pylist() for each in names]
        found = sorted({name for each in vocabularies for name in each})
        self.predicates = tuple(found if predicates is None else predicates)
        known = {name: number for number, name in enumerate(self.predicates, start=1)}
        # A shard numbers its own predicates; this turns its numbers into the vocabulary's.
        self._predicate_ids = np.array([known.get(n, 0) for v in vocabularies for n in v], np.int64)
        self._predicates_before = _starts([len(each) for each in vocabularies])

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
        regions = self._regions(indices)
        if not self._has_pixels:
            return regions
        return RelatedPixelRows(self._pixels.take(indices), regions)

    def _regions(self, indices: Int) -> RegionRows:
        region_counts, regions = _spans(self._first_region, indices)
        edge_counts, edges = _spans(self._first_edge, indices)
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


def related_pixels_schema(image_size: int, cells: int) -> TableSchema:
    """Shards of whole images, RGB, and of the regions that relate their patches.

    Args:
        image_size: pixels a side.
        cells: c a side, of which each region says how much it covers.
    """
    columns = [("image_id", pa.int64()), _pixels_column(image_size, 3)]
    columns += _region_columns(cells**2, 0)
    return TableSchema("related pixel token shard", 1, pa.schema(columns))


def pixels_shape(columns: pa.Schema) -> tuple[int, int, int]:
    """Height, width and channels of the images of a shard with such columns."""
    values = columns.field("pixels").type.list_size
    side = math.isqrt(values // 3)
    # Three times a square is never four times another one (3/4 is no square of a fraction).
    if side**2 * 3 == values:
        return side, side, 3
    side = math.isqrt(values // 4)
    return side, side, 4


def _pixels_column(image_size: int, channels: int) -> tuple[str, pa.DataType]:
    return "pixels", pa.list_(pa.uint8(), image_size**2 * channels)


def _region_columns(features: int, neighbours: int) -> list[tuple[str, pa.DataType]]:
    return [
        ("features", pa.list_(pa.list_(pa.uint8(), features))),
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
        return {"image_id": ids, "pixels": _fixed(rows.pixels.reshape(len(ids), -1))}
    regions, edges = _starts(rows.region_counts), _starts(rows.edge_counts)
    names = pa.DictionaryArray.from_arrays(
        pa.array(rows.edge_predicate - 1, pa.int32()), pa.array(predicates, pa.string())
    )
    return {
        "image_id": ids,
        "features": _ragged(regions, _fixed(rows.features)),
        "geometry": _ragged(regions, _fixed(rows.geometry)),
        "neighbours": _ragged(regions, _fixed(rows.neighbours)),
        "edge_ends": _ragged(edges, _fixed(rows.edge_ends)),
        "edge_predicate": _ragged(edges, names),
    }


def _fixed(values: NDArray[Any]) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    # The length is named because a list of no neighbours (K = 0) cannot tell it.
    return pa.FixedSizeListArray.from_buffers(
        pa.list_(flat.type, values.shape[1]), len(values), [None], children=[flat]
    )


def _ragged(starts: Int, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), values)


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
    if has_pixels:
        return related_pixels_schema(pixels_shape(columns)[0], math.isqrt(features))
    neighbours = columns.field("neighbours").type.value_type.list_size
    return regions_schema(math.isqrt(features // 4), neighbours)


def _families(columns: pa.Schema) -> tuple[bool, bool]:
    """Whether a shard holds pixels, and whether it holds regions."""
    return "pixels" in columns.names, "features" in columns.names


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column's values, not copied; a second axis where they are lists of fixed size."""
    array = column.chunk(0)
    if pa.types.is_list(array.type):
        array = array.values
    if not pa.types.is_fixed_size_list(array.type):
        return np.asarray(array.to_numpy())
    return np.asarray(array.values.to_numpy()).reshape(len(array), array.type.list_size)


def _starts(counts: Sequence[int] | Int) -> Int:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _offsets(lists: list[pa.ListArray]) -> Int:
    """Where each row's values start, counted through all shards."""
    counts = [np.diff(each.offsets.to_numpy()) for each in lists]
    return _starts(np.concatenate(counts))


def _spans(first: Int, indices: Int) -> tuple[Int, Int]:
    """How many values each row has, and the indices of them all."""
    counts = first[indices + 1] - first[indices]
    before = np.cumsum(counts) - counts
    return counts, np.repeat(first[indices] - before, counts) + np.arange(counts.sum())


class _Column:
    """One array in pieces, a piece per shard."""

    def __init__(self, pieces: list[NDArray[Any]]) -> None:
        self._pieces = pieces
        self._before = _starts([len(each) for each in pieces])

    def take(self, indices: Int) -> Any:
        """Copy rows out, a run of indices into the same piece at a time."""
        out = np.empty((len(indices), *self._pieces[0].shape[1:]), self._pieces[0].dtype)
        piece = np.searchsorted(self._before, indices, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(indices)]
        for start, end in pairwise(cuts):
            if start < end:
                number = piece[start]
                inside = indices[start:end] - self._before[number]
                # "raise" would copy through a buffer; the indices are known to be inside.
                np.take(self._pieces[number], inside, axis=0, out=out[start:end], mode="clip")
        return out
