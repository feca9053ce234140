"""The gate of `extraction_scores`: every corruption was shown, and clean images are read well."""

from dataclasses import dataclass

import polars as pl

from semtok.checks.rules import Rule, Suite, at_least, beside, count, none, there
from semtok.checks.subject import Subject
from semtok.data.index import split_images
from semtok.extract.corruptions import CLEAN, every
from semtok.extract.extraction_scores import EXTRACTION_SCORES, METRICS, NAME
from semtok.tables import read_table

_KEY = ["kind", "severity"]


@dataclass(frozen=True)
class Settings:
    """Limits of the gate; of clean images."""

    average_precision: float = 0.05  # of masks, IoU 0.50:0.95, at least
    recall: float = 0.02  # R@20 of relations, masks found too, at least


_OF_A_ROW = (
    Rule(
        "scores_out_of_range",
        "scores lie in 0..1",
        ~pl.all_horizontal(pl.col(*METRICS).is_between(0, 1)),
    ),
    Rule("duplicate_rows", "every corruption occurs once", pl.struct(_KEY).is_duplicated()),
    Rule("missing_images", "every image of the split was shown", pl.col("images") != pl.col("all")),
)
_OF_A_WANTED_ROW = (
    Rule(
        "missing_rows",
        "clean images were judged, and each kind of corruption in each severity",
        ~pl.col("there"),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the table, and read how well clean images are read."""
    found = pl.DataFrame(read_table(subject.artifact / NAME, EXTRACTION_SCORES))
    images = split_images(subject.input("index"), subject.split).num_rows
    asked = [CLEAN, *every(subject.params["corruption.severities"])]
    wanted = pl.DataFrame(asked, schema={"kind": pl.String, "severity": pl.Int8}, orient="row")
    clean = found.filter(severity=0)
    return {
        "rows": beside(
            count(found.with_columns(all=pl.lit(images)), _OF_A_ROW, _KEY),
            count(there(wanted, found), _OF_A_WANTED_ROW, _KEY),
        ),
        "clean": clean.select(average_precision="AP", recall="R@20"),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "rows": none(*_OF_A_ROW, *_OF_A_WANTED_ROW),
        "clean": [
            at_least(
                "average_precision", settings.average_precision, "masks of clean images are found"
            ),
            at_least("recall", settings.recall, "so are relations among them"),
        ],
    }
