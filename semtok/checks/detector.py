"""The gate of `detector`: its networks are whole, cross-fitted, and find what is annotated."""

from dataclasses import dataclass

import polars as pl

from semtok.checks.learned import LEARNED_RULES, count_learned, loss_fall
from semtok.checks.rules import Suite, at_least, none
from semtok.checks.subject import Subject
from semtok.json_files import read_json


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    average_precision: float = 0.1  # of masks, IoU 0.50:0.95, on val, at least
    loss_fall: float = 0.1  # share of the first reported loss that must be gone at the end


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the networks and read how well they do."""
    quality = read_json(subject.artifact / "quality.json")
    return {
        "networks": count_learned(subject),
        "losses": loss_fall(subject),
        "quality": pl.DataFrame({"average_precision": [float(quality["AP"])]}),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "networks": none(*LEARNED_RULES),
        "losses": [at_least("loss_fall", settings.loss_fall, "the loss of every fold fell")],
        "quality": [
            at_least("average_precision", settings.average_precision, "masks of val are found")
        ],
    }
