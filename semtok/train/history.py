"""The metrics of a training at rest; needs no torch, so that plots and gates read it cheaply."""

import pyarrow as pa

from semtok.tables import TableSchema

#: What a training measured at which step (counted from 1).
HISTORY = TableSchema(
    "history",
    1,
    pa.schema([("step", pa.int64()), ("name", pa.string()), ("value", pa.float64())]),
)
