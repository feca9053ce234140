"""What gates ask of extraction in corrupted images: whether all of it is there."""

import polars as pl

from semtok.checks.rules import Rule, count, there
from semtok.checks.subject import Subject
from semtok.sharding import CORRUPTED

RULE = Rule(
    "missing_corrupted",
    "what was looked for in corrupted images has its shards of every corruption",
    ~pl.col("there"),
)


def missing(subject: Subject, upstream: bool = False) -> pl.DataFrame:
    """Count the shards of corrupted images that are not there.

    Args:
        subject: an artifact of masks or relations; without any of corrupted images it needs none.
        upstream: whether it was made of one that has them, so that it needs them, too.
    """
    from semtok.extract.corruptions import every  # OpenCV, which settings do not need

    folder, wanted = subject.artifact / CORRUPTED, subject.params["corruption"]
    asked = subject.split in wanted["splits"] and (upstream or folder.is_dir())
    names = [path.name for path in subject.shards(".parquet")] if asked else []
    files = [f"{each}/{name}" for each in every(wanted["severities"]) for name in names]
    found = [f"{path.parent.name}/{path.name}" for path in folder.glob("*/[0-9]*.parquet")]
    rows = there(*(pl.DataFrame({"file": each}, {"file": pl.String}) for each in (files, found)))
    return count(rows, [RULE], ["file"])
