"""What a relation model has learned from, to hold against what it says."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa

from semtok.json_files import write_json

NAME = "annotated_predicates.json"


def write(relations: pa.Table, model: Path) -> None:
    """Write how many of the annotated relations have each predicate.

    Args:
        relations: those of the training images, schema `SCENE_GRAPHS`.
        model: the folder of the model that learns from them.
    """
    write_json(model / NAME, Counter(relations["predicate"].to_pylist()))


def hand_down(model: Path | None, staging: Path) -> None:
    """Lay the counts of a model beside what it said; nothing where no model was run.

    Args:
        model: its artifact.
        staging: the folder to write to.
    """
    if model and (model / NAME).exists():
        shutil.copyfile(model / NAME, staging / NAME)
