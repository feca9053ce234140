"""What is written beside a trained network; needs no torch, so that gates read it cheaply."""

import pyarrow as pa

from semtok.tables import TableSchema

#: The images that a fold's network was trained on, as its batches named them.
TRAINED_ON = TableSchema(
    "trained_on", 1, pa.schema([("fold", pa.int64()), ("image_id", pa.int64())])
)
#: What was measured at which step (counted from 1).
LEARNED = TableSchema(
    "learned",
    1,
    pa.schema(
        [("fold", pa.int64()), ("step", pa.int64()), ("name", pa.string()), ("value", pa.float64())]
    ),
)
