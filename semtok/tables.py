"""Tables at rest: one schema object per artifact, versioned, checked on write and on read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from semtok.errors import SemtokError

_NAME, _NO_LABEL = b"semtok.schema", b"no schema"
FINGERPRINT = "semtok.fingerprint"


@dataclass(frozen=True)
class TableSchema:
    """The columns of one artifact's table.

    Attributes:
        name: what the table is called in messages, e.g. `masks`.
        version: raised with every change of columns or of their meaning.
        columns: the Arrow schema, without metadata.
        unlike: columns of lists of numbers that seldom repeat, beside which all others are flat.
            Parquet then has no dictionary of them, and all first bytes together, all second
            ones, ...: smaller, and sooner written.
        protocol: the version by which its numbers are scores; empty: they are none.
    """

    name: str
    version: int
    columns: pa.Schema
    unlike: tuple[str, ...] = ()
    protocol: str = ""

    @property
    def label(self) -> str:
        """Name and version, as stored in the file; of scores the protocol's, too."""
        by = f" by protocol {self.protocol}" if self.protocol else ""
        return f"{self.name}/{self.version}{by}"


#: Inputs that were set aside: which one, in which shard of the partition, and why.
REJECTED = TableSchema(
    "rejected",
    1,
    pa.schema(
        [
            ("shard", pa.string()),
            ("image_id", pa.int64()),
            ("source_id", pa.int64()),  # annotation, segment or caption; null: the whole image
            ("file", pa.string()),
            ("reason", pa.string()),
        ]
    ),
)


def write_table(
    path: Path, table: pa.Table, schema: TableSchema, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a table as Parquet (`.parquet`) or, to be memory-mapped, as Arrow IPC (`.arrow`).

    The same table and metadata give the same bytes.

    Args:
        path: the file; its suffix chooses the format.
        table: columns in any order; each is cast to the schema's type.
        metadata: further key-value pairs for the file's schema.

    Raises:
        SemtokError: a column is missing, unknown or of a type that cannot be cast.
    """
    if set(table.column_names) != set(schema.columns.names):
        difference = sorted(set(table.column_names) ^ set(schema.columns.names))
        raise SemtokError(f"{path}: columns {', '.join(difference)} do not fit {schema.label}")
    try:
        table = table.select(schema.columns.names).cast(schema.columns)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SemtokError(f"{path}: does not fit {schema.label}: {error}") from None
    pairs = {key.encode(): value.encode() for key, value in (metadata or {}).items()}
    table = table.replace_schema_metadata({_NAME: schema.label.encode(), **pairs}).combine_chunks()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        names = [name for name in table.column_names if name not in schema.unlike]
        unlike = [f"{name}.list.element" for name in schema.unlike]
        pq.write_table(
            table,
            path,
            compression="zstd",
            use_dictionary=names if unlike else True,
            column_encoding=dict.fromkeys(unlike, "BYTE_STREAM_SPLIT") or None,
        )


def read_table(path: Path, schema: TableSchema) -> pa.Table:
    """Read a table and check that it is what `schema` says.

    An Arrow IPC file is memory-mapped: its columns are read when they are touched.

    Raises:
        SemtokError: the file is missing, truncated, or of another schema or version.
    """
    try:
        if path.suffix == ".arrow":
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        else:
            table = pq.read_table(path, memory_map=True)
    except FileNotFoundError:
        raise SemtokError(f"{path}: no such file; run the stage that makes it") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise SemtokError(f"{path}: unreadable ({error}); delete it and run its stage") from None
    found = (table.schema.metadata or {}).get(_NAME, _NO_LABEL).decode()
    if found != schema.label or not table.schema.equals(schema.columns, check_metadata=False):
        raise SemtokError(f"{path}: holds {found}, not {schema.label}; run the stage that makes it")
    return table


def label_of(path: Path) -> str:
    """What `TableSchema.label` the table in a file has, or that it has none."""
    return read_metadata(path).get(_NAME.decode(), _NO_LABEL.decode())


def read_metadata(path: Path) -> dict[str, str]:
    """The key-value pairs of a Parquet or Arrow IPC file; empty where it cannot be read."""
    try:
        if path.suffix == ".arrow":
            with pa.memory_map(str(path)) as source:
                pairs = pa.ipc.open_file(source).schema.metadata
        else:
            pairs = pq.read_schema(path).metadata
    except (pa.ArrowInvalid, OSError):
        return {}
    return {key.decode(): value.decode() for key, value in (pairs or {}).items()}
