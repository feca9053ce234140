"""What holds for the artifact of every network that an extractor trained itself."""

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open

from semtok.checks.rules import Rule, beside, count
from semtok.checks.subject import Subject
from semtok.data.index import split_images
from semtok.errors import SemtokError
from semtok.extract.crossfit import folds_of
from semtok.extract.learned import LEARNED, TRAINED_ON
from semtok.json_files import read_json
from semtok.tables import read_table

_OF_A_FILE = (
    Rule("missing_files", "every fold has its network, none empty", pl.col("bytes") == 0),
)
_OF_A_TENSOR = (Rule("weights_not_finite", "all weights are finite", pl.col("not_finite") > 0),)
_OF_AN_IMAGE = (
    Rule(
        "leaked_images",
        "no network was trained on an image of the fold that it is asked about",
        pl.col("fold") == pl.col("own_fold"),
    ),
    Rule("images_of_other_splits", "networks were trained on train alone", ~pl.col("in_train")),
)

LEARNED_RULES = (*_OF_A_FILE, *_OF_A_TENSOR, *_OF_AN_IMAGE)


def count_learned(subject: Subject) -> pl.DataFrame:
    """Count the faults of an artifact that `semtok.extract.learning` wrote: one row."""
    folds = int(read_json(subject.artifact / "config.json")["folds"])
    names = [f"fold-{fold}.safetensors" for fold in range(folds)]
    files = pl.DataFrame([{"file": name, "bytes": subject.bytes(name)} for name in names])
    whole = files.filter(pl.col("bytes") > 0)["file"].to_list()
    tensors = [row for name in whole for row in _tensors(subject, name)]
    schema = {"file": pl.String, "tensor": pl.String, "not_finite": pl.Int64}
    seen = read_table(subject.artifact / "trained_on.parquet", TRAINED_ON)
    train = split_images(subject.input("index"), "train")["image_id"].to_numpy()
    image_ids = seen["image_id"].to_numpy()
    images = pl.DataFrame(seen).with_columns(
        pl.Series("own_fold", folds_of(image_ids, folds)),
        pl.Series("in_train", np.isin(image_ids, train)),
    )
    return beside(
        count(files, _OF_A_FILE, ["file"]),
        count(pl.DataFrame(tensors, schema=schema), _OF_A_TENSOR, list(schema)),
        count(images, _OF_AN_IMAGE, ["fold", "image_id"]),
    )


def loss_fall(subject: Subject) -> pl.DataFrame:
    """By which share the loss of every fold fell from its first report to its last."""
    history = pl.DataFrame(read_table(subject.artifact / "history.parquet", LEARNED))
    fall = 1 - pl.col("last_loss") / pl.col("first_loss")
    return (
        history.filter(name="loss")
        .group_by("fold", maintain_order=True)
        .agg(first_loss=pl.col("value").first(), last_loss=pl.col("value").last())
        # The smallest of numbers would pass over a NaN.
        .with_columns(loss_fall=pl.when(fall.is_finite()).then(fall).otherwise(-float("inf")))
    )


def _tensors(subject: Subject, name: str) -> list[dict[str, object]]:
    """The number of NaNs and infinities in each tensor of a file."""
    path = subject.artifact / name
    rows: list[dict[str, object]] = []
    try:
        with safe_open(path, framework="numpy") as weights:
            for tensor in sorted(weights.keys()):
                values = weights.get_tensor(tensor)
                faults = int(values.size - np.isfinite(values).sum())
                rows.append({"file": name, "tensor": tensor, "not_finite": faults})
    except SafetensorError as error:
        raise SemtokError(f"{path}: damaged ({error}); run the stage again") from None
    return rows
