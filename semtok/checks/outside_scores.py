"""The gate of `outside_scores`: that of `scores`, for a model that was trained elsewhere."""

import polars as pl

from semtok.checks.scores import Settings, judged, suite
from semtok.checks.subject import Subject

__all__ = ["Settings", "suite", "summarise"]


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """As `scores.summarise`: on all images of the index."""
    from semtok.bench import costs, outside_scoring  # torch, which settings alone do not need
    from semtok.bench.image_files import ImageFiles

    bench, indexed = subject.params["bench"], subject.input("index")
    return judged(
        subject,
        {split: ImageFiles(subject.input("images"), indexed, split) for split in bench["splits"]},
        [outside_scoring.SEED],
        outside_scoring.refusals(subject.artifact, bench["benchmarks"]),
        costs.read_outside(subject.artifact),
    )
