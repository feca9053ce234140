"""Faults to plant: one at least for every expectation of every suite."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from semtok.tables import REJECTED, TableSchema
from tests.checks.tiny_line import Row, edit


@dataclass(frozen=True)
class Fault:
    """A fault that an expectation must name.

    Attributes:
        key: the artifact of the tiny line that it is planted in.
        name: of the expectation.
        plant: alters the artifact's folder.
        shows: part of the example that points at it.
        also: other expectations that cannot but be red too.
    """

    key: str
    name: str
    plant: Callable[[Path], None]
    shows: str
    also: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.key}:{self.name}"


def editing(
    file: str, schema: TableSchema, change: Callable[[list[Row]], list[Row] | None]
) -> Callable[[Path], None]:
    """Plant by changing the rows of one table, in place or to those returned."""
    return lambda folder: edit(folder / file, schema, change)


def setting(
    file: str, schema: TableSchema, number: int, **values: object
) -> Callable[[Path], None]:
    """Plant by setting columns of one row."""
    return editing(file, schema, lambda rows: rows[number].update(values))


def repeating(file: str, schema: TableSchema) -> Callable[[Path], None]:
    """Plant by writing a table's first row twice."""
    return editing(file, schema, lambda rows: [rows[0], *rows])


def rejecting(key: str) -> Fault:
    """Plant more faulty inputs than the tiny line's tenth allows; crowds are no faults."""
    row = {"shard": None, "image_id": 9, "source_id": 90, "file": "a.json"}
    rows = [*[{**row, "reason": "crowd"}] * 50, *[{**row, "reason": "torn"}] * 40]
    return Fault(
        key,
        "rejected_beyond_share",
        editing("rejected.parquet", REJECTED, lambda _: rows),
        "image_id=9 file=a.json reason=torn",
    )
