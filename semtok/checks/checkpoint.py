"""The gate of `checkpoint`: every training is whole, finite, its own, and learned something."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open

from semtok.checks.rules import Rule, Suite, at_least, beside, count, none
from semtok.checks.subject import Subject
from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.train.history import HISTORY

_FILES = (
    "model.safetensors",
    "config.json",
    "text_tokenizer.json",
    "training.json",
    "history.parquet",
)

#: Share of the reported losses, at the end, whose mean counts as the final loss.
_LAST = 0.1


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    loss_fall: float = 0.05  # share of the first reported loss that must be gone at the end


_OF_A_FILE = (
    Rule("missing_files", "every seed has all its files, none empty", pl.col("bytes") == 0),
)
_OF_A_TENSOR = (Rule("weights_not_finite", "all weights are finite", pl.col("not_finite") > 0),)
_OF_A_MODEL = (
    Rule(
        "repeated_trainings",
        "the weights of every seed are its own",
        pl.col("weights").is_duplicated(),
    ),
)
_OF_A_METRIC = (
    Rule("history_not_finite", "every reported metric is finite", ~pl.col("value").is_finite()),
)
_OF_A_TRAINING = (
    Rule(
        "unfinished_trainings",
        "every training ran and reported to the last of train.steps",
        pl.col("last_step") != pl.col("steps"),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of a variant's trainings, and measure how far each loss fell."""
    train = subject.params["train"]
    files = pl.DataFrame(
        [
            {"seed": seed, "file": name, "bytes": subject.bytes(f"seed-{seed}/{name}")}
            for seed in train["seeds"]
            for name in _FILES
        ]
    )
    tensors, models = _weights(subject.artifact, _seeds_with(files, "model.safetensors"))
    histories = _histories(subject.artifact, _seeds_with(files, "history.parquet"))
    losses = histories.filter(name="loss")
    trainings = losses.group_by("seed", maintain_order=True).agg(
        first_loss=pl.col("value").first(),
        last_loss=pl.col("value").tail((pl.len() * _LAST).ceil().cast(pl.UInt32)).mean(),
        last_step=pl.col("step").last(),
        steps=pl.lit(train["steps"]),
    )
    fall = 1 - pl.col("last_loss") / pl.col("first_loss")
    return {
        "trainings": beside(
            count(files, _OF_A_FILE, ["seed", "file"]),
            count(tensors, _OF_A_TENSOR, ["seed", "tensor", "not_finite"]),
            count(models, _OF_A_MODEL, ["seed"]),
            count(histories, _OF_A_METRIC, ["seed", "step", "name", "value"]),
            count(trainings, _OF_A_TRAINING, ["seed", "last_step", "steps"]),
        ),
        # The smallest of numbers would pass over a NaN.
        "losses": trainings.select(
            "seed",
            "first_loss",
            "last_loss",
            loss_fall=pl.when(fall.is_finite()).then(fall).otherwise(-float("inf")),
        ),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "trainings": none(*_OF_A_FILE, *_OF_A_TENSOR, *_OF_A_MODEL, *_OF_A_METRIC, *_OF_A_TRAINING),
        "losses": [at_least("loss_fall", settings.loss_fall, "the loss of every seed fell")],
    }


def _seeds_with(files: pl.DataFrame, name: str) -> list[int]:
    return files.filter((pl.col("file") == name) & (pl.col("bytes") > 0))["seed"].to_list()


def _weights(artifact: Path, seeds: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The number of NaNs and infinities in each tensor, and the hash of each seed's tensors."""
    tensors, models = [], []
    for seed in seeds:
        path = artifact / f"seed-{seed}" / "model.safetensors"
        content = hashlib.blake2b()
        try:
            with safe_open(path, framework="numpy") as weights:
                for name in sorted(weights.keys()):
                    values = weights.get_tensor(name)
                    content.update(values.tobytes())
                    faults = int(values.size - np.isfinite(values).sum())
                    tensors.append({"seed": seed, "tensor": name, "not_finite": faults})
        except SafetensorError as error:
            raise SemtokError(f"{path}: damaged ({error}); run {artifact.name} again") from None
        models.append({"seed": seed, "weights": content.hexdigest()})
    schema = {"seed": pl.Int64, "tensor": pl.String, "not_finite": pl.Int64}
    return (
        pl.DataFrame(tensors, schema=schema),
        pl.DataFrame(models, schema={"seed": pl.Int64, "weights": pl.String}),
    )


def _histories(artifact: Path, seeds: list[int]) -> pl.DataFrame:
    columns = pl.DataFrame(HISTORY.columns.empty_table()).with_columns(seed=pl.lit(0, pl.Int64))
    return pl.concat(
        [
            columns,
            *(
                pl.DataFrame(
                    read_table(artifact / f"seed-{seed}" / "history.parquet", HISTORY)
                ).with_columns(seed=pl.lit(seed, pl.Int64))
                for seed in seeds
            ),
        ]
    )
