"""Classification: against a plain loop over classes, and what sure and clueless models score."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from semtok.bench import classification, question
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import Task
from semtok.data.index import CAPTIONS, SIBLINGS
from semtok.errors import SemtokError
from semtok.tables import write_table

NAMES = ("zebra", "a hen", "ox")
IDS = np.array([7, 3, 12, 5, 20, 9])
OWN = np.array([0, 2, 1, 1, 0, 2])


class Images:
    folder = None
    image_ids = IDS

    def __len__(self):
        return len(IDS)


class Scorer:
    """Unit vectors such that the cosine of image and class is what it is told."""

    classes = NAMES

    def __init__(self, cosines):
        self.cosines = torch.tensor(cosines, dtype=torch.float64)

    def embed_images(self, images, emit=None):
        return self.cosines

    def embed_texts(self, names, emit=None):
        return torch.eye(len(NAMES), dtype=torch.float64)[[NAMES.index(each) for each in names]]


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "benchmarks/classification/classes.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"classes": NAMES, "ordered": True}))
    write_table(tmp_path / "captions.parquet", captions(), CAPTIONS)
    return tmp_path


def captions():
    names = [NAMES[each] for each in OWN]
    return pa.table([IDS * 10, IDS, names], CAPTIONS.columns.names)


def data(index):
    siblings = pa.Table.from_pylist(
        [
            {
                "first_image_id": 3,
                "second_image_id": 7,
                "kind": "looks",
                "first_caption": "",
                "second_caption": "",
            }
        ],
        schema=SIBLINGS.columns,
    )
    return SplitData("test", Images(), captions(), None, siblings, index)


def test_ranks_and_choices_are_those_of_a_plain_loop(index):
    cosines = np.random.default_rng(0).integers(-3, 4, (6, 3)) / 4  # with ties
    found = classification.score(Scorer(cosines), data(index)).to_pylist()
    for number, row in enumerate(found):
        own = cosines[number, OWN[number]]
        others = [each for place, each in enumerate(cosines[number]) if place != OWN[number]]
        assert row["rank"] == 1 + sum(each >= own for each in others)
        if row["rank"] == 1:
            assert row["chosen"] == OWN[number]
        else:
            assert row["chosen"] != OWN[number]
            assert cosines[number, row["chosen"]] == max(others)
    assert {row["task"] for row in found} == {"class"}
    assert [row["case_id"] for row in found] == IDS.tolist()
    assert [row["cluster_id"] for row in found] == [3, 3, 12, 5, 20, 9]
    assert [row["label"] for row in found] == OWN.tolist()
    assert {(row["candidates"], row["answers"], row["ordered"]) for row in found} == {(3, 1, True)}


@pytest.mark.parametrize(
    ("cosines", "right"),
    [
        (np.eye(3)[OWN], 6),  # knows
        (np.ones((6, 3)) / 2, 0),  # cannot tell: a tie is a miss
        (np.eye(3)[np.zeros(6, int)], 2),  # always the first class
    ],
)
def test_known_answers(index, cosines, right):
    found = classification.score(Scorer(cosines), data(index))
    assert sum(rank == 1 for rank in found["rank"].to_pylist()) == right


class Reader:
    """Reads sentences: a fixed random unit vector for each."""

    classes = ()

    def embed_texts(self, captions, emit=None):
        rows = [np.random.default_rng([*text.encode()]).normal(size=5) for text in captions]
        return torch.nn.functional.normalize(torch.tensor(np.array(rows)), dim=1)


def test_a_class_is_the_mean_of_its_sentences_where_a_model_reads_some(index):
    classes = classification.read(index)
    plain = classification.class_vectors(Reader(), index, classes)
    np.testing.assert_allclose(plain, Reader().embed_texts(NAMES))
    path = index / "benchmarks/classification/templates.json"
    path.write_text(json.dumps(["a photo of a {}.", "{}, drawn"]))
    found = classification.class_vectors(Reader(), index, classes)
    for row, name in zip(found, NAMES, strict=True):
        one, other = Reader().embed_texts([f"a photo of a {name}.", f"{name}, drawn"]).numpy()
        np.testing.assert_allclose(row, (one + other) / np.linalg.norm(one + other))
    known = classification.class_vectors(Scorer(np.eye(3)), index, classes)
    np.testing.assert_array_equal(known, np.eye(3))  # a classifier has no use for sentences
    path.write_text(json.dumps(["a photo"]))
    with pytest.raises(SemtokError, match=r"templates\.json: must be a list of sentences"):
        classification.class_vectors(Reader(), index, classes)


def test_a_case_shows_its_image_and_class(index):
    found = question.questions(Task("classification", "test", "class"), index, [12])
    assert found[12].images == (12,)
    assert found[12].captions == (("a hen",),)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "put classification/classes.json into the data root"),
        ({"classes": NAMES}, "ordered: missing; expected true or false"),
        ({"classes": "zebra", "ordered": False}, "classes: 'zebra' is not a list"),
        ({"classes": ["ox", 1], "ordered": False}, "must be a list of names"),
        ({"classes": ["ox", "ox"], "ordered": False}, "two or more different names"),
        ({"classes": NAMES[:2], "ordered": False}, "image 3 of test: caption 'ox' is no class"),
    ],
)
def test_classes_that_do_not_fit_are_refused(index, document, reason):
    path = index / "benchmarks/classification/classes.json"
    path.unlink() if document is None else path.write_text(json.dumps(document))
    with pytest.raises(SemtokError, match=reason):
        classification.score(Scorer(np.eye(3)[OWN]), data(index))
