"""The rule about `rejected.parquet` that several stages share."""

import polars as pl

from semtok.checks.rules import Rule, count
from semtok.checks.subject import Subject
from semtok.data.rejects import NO_FAULTS
from semtok.tables import REJECTED, read_table

REJECTED_RULE = Rule(
    "rejected_beyond_share",
    "no more inputs were set aside as faulty than data.rejected_share allows",
    pl.col("number") > pl.col("allowed"),
)


def count_rejected(subject: Subject, kept: int) -> pl.DataFrame:
    """Count the faulty inputs beyond what `data.rejected_share` allows.

    Args:
        subject: the artifact, with its `rejected.parquet`.
        kept: how many inputs were not set aside.
    """
    rows = pl.DataFrame(read_table(subject.artifact / "rejected.parquet", REJECTED))
    faulty = rows.filter(~pl.col("reason").is_in(NO_FAULTS))
    allowed = int(subject.params["data"]["rejected_share"] * (kept + len(faulty)))
    numbered = faulty.with_row_index("number", 1).with_columns(allowed=pl.lit(allowed))
    return count(numbered, [REJECTED_RULE], ["number", "allowed", "image_id", "file", "reason"])
