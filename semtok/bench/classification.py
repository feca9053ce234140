"""Classification: of all classes of the data set, which is an image's.

The data set lists its classes in `classification/classes.json`, `{"classes": [NAME, ...],
"ordered": BOOL}`, and the caption of an image is the name of its class. What is chosen is the class
whose name is embedded most similarly to the image: of a classifier (`text.tower: classes`) by a
table of class vectors, of any other image-text model by its text side (zero-shot). The latter is
shown each name in the sentences of `classification/templates.json`, `["a photo of a {}.", ...]`,
where there are such, and a class is the mean of its sentences' vectors (Radford et al. 2021).

R@1 is the accuracy, by the strict rule: a tie is a miss. Guessing: 1 in as many as there are
classes. Beside it stands Cohen's kappa, agreement beyond chance, with quadratic weights where the
classes are `ordered`, the lowest grade first.
"""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import official
from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Embedder
from semtok.bench.question import Question
from semtok.bench.ranking import TIE
from semtok.data import documents
from semtok.data.index import CAPTIONS
from semtok.errors import SemtokError
from semtok.events import Emit, ignore
from semtok.tables import read_table

CLEARS_CHANCE = True
NEEDS_TOKENS = False
NEEDS_SENTENCES = False

TASK = "class"
FILE, TEMPLATES = "classification/classes.json", "classification/templates.json"


class Classes(NamedTuple):
    """The classes of a data set: their names, and whether they are grades, the lowest first."""

    names: tuple[str, ...]
    ordered: bool


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image."""
    return {TASK: data.images.image_ids}


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; an image and its sibling are one cluster."""
    classes = read(data.index)
    images = model.embed_images(data.images, emit).double().cpu().numpy()
    return cases(data, classes, images @ class_vectors(model, data.index, classes, emit).T)


def cases(data: SplitData, classes: Classes, scores: npt.NDArray[np.float64]) -> pa.Table:
    """The cases of a split, by whatever tells classes.

    Args:
        data: N images.
        classes: C of them.
        scores: [N, C] of images and classes; the highest one is chosen.
    """
    own = labels(data, classes)
    ranks, chosen = choose(scores, own)
    image_ids = data.images.image_ids
    ones = np.ones(len(image_ids), np.int32)
    return pa.table(
        {
            "task": pa.repeat(TASK, len(image_ids)),
            "case_id": image_ids,
            "cluster_id": data.clusters(image_ids),
            "rank": ranks,
            "candidates": len(classes.names) * ones,
            "answers": ones,
            "truths": ones,
            "label": own,
            "chosen": chosen,
            "ordered": pa.repeat(classes.ordered, len(image_ids)),
        }
    )


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """What cases ask, for people to look at: an image, with the name of its class."""
    captions = read_table(index / "captions.parquet", CAPTIONS)
    asked = captions.filter(pc.is_in(captions["image_id"], pa.array([*case_ids], pa.int64())))
    return {
        row["image_id"]: Question((row["image_id"],), ((row["caption"],),))
        for row in asked.to_pylist()
    }


def class_vectors(
    model: Embedder, index: Path | None, classes: Classes, emit: Emit = ignore
) -> npt.NDArray[np.float64]:
    """What a model makes of the classes: [C, P], unit length.

    Args:
        model: a classifier, which knows their names, or one that reads sentences.
        index: the artifact, with templates where there are some.
        classes: C of them.
        emit: told of progress.

    Raises:
        SemtokError: the file of templates is no list of sentences with a gap.
    """
    templates = ["{}"]
    if not model.classes and official.has(index, TEMPLATES):
        path = official.find(index, TEMPLATES, "your own")
        templates = documents.read_json(path, list)
        if not templates or not all(isinstance(each, str) and "{}" in each for each in templates):
            raise SemtokError(f"{path}: must be a list of sentences, each with {{}} for the class")
    texts = [each.replace("{}", name) for each in templates for name in classes.names]
    vectors = model.embed_texts(texts, emit).double().cpu().numpy()
    means = vectors.reshape(len(templates), len(classes.names), -1).mean(axis=0)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float64)


def choose(
    similarities: npt.NDArray[np.float64], own: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Rank an image's own class among all, and say which one comes first.

    Args:
        similarities: [N, C] of images and classes, or other scores of these.
        own: [N] each image's class, 0..C-1.

    Returns:
        [N] ranks from 1, what is as similar standing before the image's own; [N] the class that
        is most similar, of a tie with the image's own a wrong one.
    """
    rows = np.arange(len(own))
    right = similarities[rows, own]
    wrong = similarities.copy()
    wrong[rows, own] = -np.inf
    ranks = 1 + (wrong >= right[:, None] - TIE).sum(axis=1)
    chosen = np.where(ranks == 1, own, wrong.argmax(axis=1))
    return ranks.astype(np.int32), chosen.astype(np.int32)


def read(index: Path | None, benchmark: str = "classification") -> Classes:
    """The classes of a data set.

    Args:
        index: the artifact.
        benchmark: which one asks, for messages.

    Raises:
        SemtokError: it lists none, or not as it should.
    """
    source = "a data set of the format scene_classes or class_folders"
    path = official.find(index, FILE, source, benchmark)
    document = documents.read_json(path)
    (names,), (ordered,) = documents.check_rows(
        path, "", [document], {"classes": list, "ordered": bool}
    )
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise SemtokError(f"{path}: classes: must be a list of names; correct the file")
    if len(set(names)) != len(names) or len(names) < 2:
        raise SemtokError(f"{path}: classes: must be two or more different names; correct the file")
    return Classes(tuple(names), ordered)


def labels(data: SplitData, classes: Classes) -> npt.NDArray[np.int32]:
    """The class of each image, 0..C-1, in the order of `data.images`.

    Raises:
        SemtokError: an image's caption is the name of no class.
    """
    places = {name: place for place, name in enumerate(classes.names)}
    captions = data.captions
    known = dict(
        zip(captions["image_id"].to_pylist(), captions["caption"].to_pylist(), strict=True)
    )
    for image_id in data.images.image_ids.tolist():
        if known[image_id] not in places:
            raise SemtokError(
                f"{data.index}: image {image_id} of {data.name}: caption {known[image_id]!r} is "
                f"no class of {FILE}; add it there, or take the benchmarks of classes out of "
                "bench.benchmarks"
            )
    return np.array([places[known[each]] for each in data.images.image_ids.tolist()], np.int32)
