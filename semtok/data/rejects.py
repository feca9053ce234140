"""Bad inputs: set aside with a reason, counted, and too many of them stop the stage."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from semtok.errors import SemtokError
from semtok.remote import AnyPath
from semtok.tables import REJECTED

CROWD = "crowd"
NOT_ANNOTATED = "not annotated"
DUPLICATE = "says what another one says"
FOLLOWS = "depends on what was set aside"
RARE = "its predicate is none of the frequent ones"
UNMATCHED = "no mask fits the box of an end"
ITSELF = "both ends are the same thing"

#: Reasons that are no faults: the input is sound and is left out on purpose, or it only follows
#: another one that was counted. They are listed, but do not count towards `rejected_share`.
NO_FAULTS = (CROWD, NOT_ANNOTATED, DUPLICATE, FOLLOWS, RARE, UNMATCHED, ITSELF)


class Reject(NamedTuple):
    """One input that was set aside."""

    image_id: int | None
    source_id: int | None  # annotation, segment or caption; None: the whole image
    file: str  # relative to the data root
    reason: str


def table(rejects: Iterable[Reject], shard: str | None = None) -> pa.Table:
    """Rows of `rejected.parquet` (schema `REJECTED`) that belong to one shard."""
    rows = list(rejects)
    values = list(zip(*rows, strict=True)) if rows else [()] * len(Reject._fields)
    return pa.table([[shard] * len(rows), *map(list, values)], schema=REJECTED.columns)


def enforce(rejected: pa.Table, kept: int, share: float, what: str, root: AnyPath) -> None:
    """Fail if more than `share` of the inputs were faulty.

    Args:
        rejected: all that was set aside (schema `REJECTED`).
        kept: how many inputs of that kind were not.
        share: the largest share allowed (0..1), `data.rejected_share`.
        what: the kind of input, e.g. `masks`.
        root: the data root, for the message.

    Raises:
        SemtokError: names the first file and the reason.
    """
    faults = rejected.filter(pc.invert(pc.is_in(rejected["reason"], pa.array(NO_FAULTS))))
    total = faults.num_rows + kept
    if faults.num_rows > share * total:
        first = faults.slice(0, 1).to_pylist()[0]
        entry = "" if first["source_id"] is None else f"entry {first['source_id']} of "
        raise SemtokError(
            f"{root / first['file']}: {entry}image {first['image_id']}: {first['reason']}; "
            f"{faults.num_rows} of {total} {what} were set aside, data.rejected_share allows "
            f"{share:.2%}: correct the data or raise it"
        )
