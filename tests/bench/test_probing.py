"""kNN and linear probe against scikit-learn, and what sure and clueless models score."""

import json
from dataclasses import replace
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, cohen_kappa_score
from sklearn.neighbors import KNeighborsClassifier

from semtok.bench import classification, knn, linear_probe, question
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import CASES, Task, by_task, values
from semtok.bench.folds import folds_of
from semtok.bench.remembered import Remembered
from semtok.bench.scoring import ask
from semtok.checks.chance import against_chance, clearest
from semtok.data.index import CAPTIONS, SIBLINGS
from semtok.errors import SemtokError
from semtok.tables import write_table

NAMES = ("zebra", "a hen", "ox", "bear")
BENCHMARKS = {"knn": knn, "linear_probe": linear_probe}


class Images:
    folder = None

    def __init__(self, ids):
        self.image_ids = np.asarray(ids)

    def __len__(self):
        return len(self.image_ids)


class Seer:
    """Sees a direction of each class, and noise of a given size; reads nothing."""

    classes = ()

    def __init__(self, own, noise):
        random = np.random.default_rng(0)
        centres = random.normal(size=(len(NAMES), 6))
        self.vectors = {}
        for image, label in own.items():
            vector = (label >= 0) * centres[label] + noise * random.normal(size=6) + 0.1
            self.vectors[image] = vector / np.linalg.norm(vector)

    def embed_images(self, images, emit=None):
        rows = [self.vectors[each] for each in images.image_ids.tolist()]
        return torch.tensor(np.array(rows), dtype=torch.float32)


class Remembering(Seer):
    """As a variant does, and counts what it embeds and learns."""

    classes = NAMES

    def __init__(self, own):
        super().__init__(own, 0.2)
        self.remembered, self.embedded = Remembered(), []

    def embed_images(self, images, emit=None):
        def embed():
            self.embedded.append(len(images))
            return super(Remembering, self).embed_images(images)

        return self.remembered.get(images, embed)

    def embed_texts(self, names, emit=None):
        return torch.eye(6)[: len(names)]


@pytest.fixture
def own():
    """The class of each image: 240 of train, from 1000 on, and 80 of test."""
    random = np.random.default_rng(1)
    ids = [*range(1000, 1240), *range(80)]
    return dict(zip(random.permutation(ids).tolist(), np.arange(320) % len(NAMES), strict=True))


def split(name, ids, own, index, train=None):
    names = [NAMES[own[each]] for each in ids]
    captions = pa.table([np.arange(len(ids)), ids, names], CAPTIONS.columns.names)
    siblings = SIBLINGS.columns.empty_table()
    return SplitData(name, Images(ids), captions, None, siblings, index, train=train)


@pytest.fixture
def data(own, tmp_path):
    path = tmp_path / "benchmarks/classification/classes.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"classes": NAMES, "ordered": False}))
    train = split("train", [each for each in own if each >= 1000], own, tmp_path)
    return split("test", [each for each in own if each < 1000], own, tmp_path, train)


def labels(data, own):
    return np.array([own[each] for each in data.images.image_ids.tolist()])


def of(name, model, data):
    (cases,) = ask(model, data, {name: BENCHMARKS[name]}, 0)
    assert cases.schema == CASES.columns
    return cases


def theirs(name, model, data, own):
    """What scikit-learn says of the same, the penalty chosen by hand."""
    train, test = (model.embed_images(each.images).double().numpy() for each in (data.train, data))
    known = labels(data.train, own)
    if name == "knn":
        found = KNeighborsClassifier(
            20,
            metric="cosine",
            algorithm="brute",
            weights=lambda far: np.exp((1 - far) / 0.07),
        )
        return found.fit(train, known).predict(test)
    held = folds_of(data.train.images.image_ids, 5) == 0

    def fitted(penalty, x, y):
        return LogisticRegression(C=1 / (penalty * len(x)), tol=1e-8, max_iter=10_000).fit(x, y)

    right = [
        fitted(each, train[~held], known[~held]).score(train[held], known[held])
        for each in linear_probe.PENALTIES
    ]
    best = linear_probe.PENALTIES[int(np.argmax(right))]
    return fitted(best, train, known).predict(test)


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize("noise", [0.4, 1.2])
def test_accuracy_and_kappa_are_those_of_scikit_learn(data, own, name, noise):
    model = Seer(own, noise)
    (ranks,) = by_task(of(name, model, data)).values()
    wanted, said = labels(data, own), theirs(name, model, data, own)
    by_id = np.argsort(data.images.image_ids)
    np.testing.assert_array_equal(ranks.chosen[0], said[by_id])
    accuracy, *_, kappa, _ = values(ranks)[0]
    assert accuracy == pytest.approx(100 * accuracy_score(wanted, said), abs=1e-6)
    assert kappa == pytest.approx(100 * cohen_kappa_score(wanted, said), abs=1e-6)
    assert 40 < accuracy < 100


@pytest.mark.parametrize("name", BENCHMARKS)
def test_one_who_sees_the_class_alone_is_always_right(data, own, name):
    assert set(of(name, Seer(own, 0), data)["rank"].to_pylist()) == {1}


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize("common", [-1, 2])
def test_one_who_cannot_tell_images_apart_says_the_commonest_class(data, own, name, common):
    """Or, where none is the commonest, nothing: a tie is a miss."""
    of_class = [[each for each in own if own[each] == n and each >= 1000] for n in range(4)]
    ids = [each for n, some in enumerate(of_class) for each in some[: 40 + (n == common)]]
    train = split("train", ids, own, data.index)
    asked = split("test", data.images.image_ids.tolist(), own, data.index, train)
    found = of(name, Seer(dict.fromkeys(own, -1), 0), asked).to_pylist()
    right = {each["case_id"] for each in found if each["rank"] == 1}
    assert right == {each for each, label in own.items() if each < 1000 and label == common}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_gate_is_not_fooled_by_a_class_that_is_common(data, own, name):
    """Three in four are of one class: who sees nothing is right so often, and seeing is more."""
    own = {each: label if each % 4 == 0 else 0 for each, label in own.items()}
    ids = {
        part: split(part, each.images.image_ids.tolist(), own, data.index)
        for part, each in (("train", data.train), ("test", data))
    }
    asked = replace(ids["test"], train=ids["train"])
    for model, blind in ((Seer(dict.fromkeys(own, -1), 0), True), (Seer(own, 0.2), False)):
        found = of(name, model, asked)
        assert sum(rank == 1 for rank in found["rank"].to_pylist()) >= 60
        (row,) = clearest(against_chance(pl.DataFrame(found))).to_dicts()
        assert (row["chance_p_value"] > 0.1) == blind
        assert blind or row["chance_p_value"] < 0.001


@pytest.mark.parametrize("name", BENCHMARKS)
def test_noise_is_at_chance(data, own, name):
    found = of(name, Seer(dict.fromkeys(own, -1), 1.0), data)
    right = sum(rank == 1 for rank in found["rank"].to_pylist())
    assert abs(right - 20) < 4 * np.sqrt(80 * 0.25 * 0.75)


def test_train_is_embedded_and_learned_from_once_whatever_is_asked_between(data, own):
    ids = data.images.image_ids.tolist()
    splits = [
        split(name, some, own, data.index, data.train)
        for name, some in (("val", ids[:20]), ("test", ids[20:50]), ("novel", ids[50:]))
    ]
    model, asked = Remembering(own), {"classification": classification, **BENCHMARKS}
    with mock.patch.object(linear_probe, "learn", wraps=linear_probe.learn) as learned:
        for each in splits:
            assert len([*ask(model, each, asked, 0)]) == len(asked)
    assert sorted(model.embedded) == [20, 30, 30, 240]
    assert learned.call_count == 1


@pytest.mark.parametrize("name", BENCHMARKS)
def test_labels_of_the_split_that_is_asked_teach_nothing(data, own, name):
    model = Seer(own, 1.2)
    before = of(name, model, data)
    other = {each: (label + 1) % 4 if each < 1000 else label for each, label in own.items()}
    ids = data.images.image_ids.tolist()
    after = of(name, model, split("test", ids, other, data.index, data.train))
    assert before["chosen"].to_pylist() == after["chosen"].to_pylist()


def test_cases_and_questions_are_those_of_classification(data, own):
    ids = classification.case_ids(data)
    for name, benchmark in BENCHMARKS.items():
        found = benchmark.case_ids(data)
        assert {task: each.tolist() for task, each in found.items()} == {
            task: each.tolist() for task, each in ids.items()
        }
        assert of(name, Seer(own, 1), data)["case_id"].to_pylist() == ids["class"].tolist()
    write_table(data.index / "captions.parquet", data.captions.cast(CAPTIONS.columns), CAPTIONS)
    (case,) = question.questions(Task("knn", "test", "class"), data.index, [7]).values()
    assert case.images == (7,)
    assert case.captions == ((NAMES[own[7]],),)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_data_set_without_classes_is_told_so(data, own, name):
    (data.index / "benchmarks/classification/classes.json").unlink()
    with pytest.raises(SemtokError, match=f"or take {name} out of bench.benchmarks"):
        of(name, Seer(own, 1), data)
