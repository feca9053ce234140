"""The rule about `rejected.parquet` that several stages share."""

import polars as pl

from semtok.checks.rules import Rule, describe, fault
from semtok.checks.subject import Subject
from semtok.data.rejects import NO_FAULTS
from semtok.tables import REJECTED, read_table

REJECTED_RULE = Rule(
    "rejected_beyond_share",
    "no more inputs were set aside as faulty than data.rejected_share allows",
    pl.lit(False),
)


def count_rejected(subject: Subject, kept: int) -> pl.DataFrame:
    """Count the faulty inputs beyond what `data.rejected_share` allows.

    Args:
        kept: how many inputs were not set aside.
    """
    rows = pl.DataFrame(read_table(subject.artifact / "rejected.parquet", REJECTED))
    faulty = rows.filter(~pl.col("reason").is_in(NO_FAULTS))
    total = kept + faulty.height
    beyond = max(0, faulty.height - int(subject.params["data"]["rejected_share"] * total))
    example = None
    if beyond:
        first = faulty.select("image_id", "file", "reason").row(0, named=True)
        example = f"{faulty.height} of {total} set aside, first {describe(first)}"
    return fault(REJECTED_RULE, beyond, example)
