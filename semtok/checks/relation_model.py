"""The gate of `relation_model`: whole, cross-fitted, and it finds annotated relations."""

from dataclasses import dataclass

import polars as pl

from semtok.checks.learned import LEARNED_RULES, count_learned, loss_fall
from semtok.checks.rules import Suite, at_least, none
from semtok.checks.subject import Subject
from semtok.json_files import read_json


@dataclass(frozen=True)
class Settings:
    """Limits of the gate; of val, with annotated masks given, under the graph constraint."""

    recall: float = 0.3  # R@20, at least
    mean_recall: float = 0.1  # mR@20, at least
    loss_fall: float = 0.1  # share of the first reported loss that must be gone at the end


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the networks and read how well they do."""
    quality = read_json(subject.artifact / "quality.json")
    return {
        "networks": count_learned(subject),
        "losses": loss_fall(subject),
        "quality": pl.DataFrame(
            {"recall": [float(quality["R@20"])], "mean_recall": [float(quality["mR@20"])]}
        ),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "networks": none(*LEARNED_RULES),
        "losses": [at_least("loss_fall", settings.loss_fall, "the loss of every fold fell")],
        "quality": [
            at_least("recall", settings.recall, "relations of val are found"),
            at_least("mean_recall", settings.mean_recall, "so are those of rare predicates"),
        ],
    }
