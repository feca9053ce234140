import json
import shutil
from pathlib import Path

from semtok.extract.annotated_predicates import NAME
from semtok.extract.scene_graphs import SCENE_GRAPHS
from tests.checks.planted import Fault, editing, rejecting, repeating, setting

_KEY = "scene_graphs@annotated-train"
_FIRST = ("000.parquet", SCENE_GRAPHS)  # image 1 with two relations among its masks 0..2
_SECOND = ("001.parquet", SCENE_GRAPHS)  # image 2 with one


def _one_predicate(folder: Path) -> None:
    for table in (_FIRST, _SECOND):
        editing(*table, lambda rows: [{**row, "predicate": "on"} for row in rows])(folder)


def _other_image_first(folder: Path) -> None:
    row = {"image_id": 2, "subject": 1, "predicate": "on", "object": 0, "score": 1, "source": "psg"}
    editing(*_FIRST, lambda rows: [row, *rows])(folder)


def _learned_otherwise(folder: Path) -> None:
    """Of a predicate that the model never says."""
    (folder / NAME).write_text(json.dumps({"under": 9, "on": 1}))


FAULTS = [
    Fault(_KEY, "dangling_ends", setting(*_FIRST, 0, subject=3), "image_id=1 subject=3"),
    Fault(_KEY, "dangling_ends", setting(*_FIRST, 0, object=-1), "object=-1"),
    Fault(
        _KEY,
        "dangling_ends",
        setting(*_SECOND, 0, image_id=3),
        "image_id=3 ",
        {"share_without_relations"},
    ),
    Fault(_KEY, "self_relations", setting(*_FIRST, 0, object=1), "subject=1 predicate=on object=1"),
    Fault(_KEY, "duplicate_relations", repeating(*_FIRST), "image_id=1 subject=1"),
    Fault(_KEY, "unnamed_predicates", setting(*_FIRST, 1, predicate=""), "image_id=1 subject=2"),
    Fault(_KEY, "scores_out_of_range", setting(*_FIRST, 1, score=-0.1), "image_id=1 subject=2"),
    Fault(_KEY, "scores_out_of_range", setting(*_FIRST, 1, score=float("nan")), "subject=2"),
    Fault(_KEY, "relations_out_of_order", _other_image_first, "image_id=1 subject=1"),
    Fault(
        _KEY,
        "share_without_relations",
        editing(*_SECOND, lambda rows: []),
        "1 of 2, first image_id=2",
    ),
    Fault(_KEY, "distinct_predicates", _one_predicate, "names=['on']"),
    Fault(_KEY, "predicate_drift", _learned_otherwise, "under: 0.000 of the relations, 0.900 of"),
    Fault(
        _KEY,
        "missing_corrupted",
        lambda folder: shutil.rmtree(folder / "corrupted"),
        "file=jpeg-3/000.parquet",
    ),
    rejecting(_KEY),
]
