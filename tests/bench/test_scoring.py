"""The stage on a real checkpoint: against a plain loop over the model's own embeddings."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from semtok.bench import benchmark, retrieval
from semtok.bench.benchmark import split_data
from semtok.bench.cases import CASES, Task, by_task
from semtok.bench.embedding import Model
from semtok.bench.remembered import Remembered
from semtok.bench.scoring import score, seed_folders
from semtok.data.index import SIBLINGS, TRUTH
from semtok.errors import SemtokError
from semtok.models.image_text import ImageTextModel
from semtok.tables import read_table
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.workspace import digest


@pytest.fixture(scope="module")
def scores(trained, tmp_path_factory):
    staging = tmp_path_factory.mktemp("scores")
    score(trained.checkpoint, trained.shards, trained.annotations, ["retrieval"], staging)
    return staging


def test_cases_are_those_of_a_plain_loop(trained, scores):
    found = by_task(read_table(scores / "cases.parquet", CASES))
    assert sum(len(each.case_ids) * 2 for each in found.values()) == 2 * (35 + 71)
    rows = trained.captions.to_pylist()
    for split, folder in trained.shards.items():
        of_images = found[Task("retrieval", split, "image_to_text")]
        of_texts = found[Task("retrieval", split, "text_to_image")]
        for number, seed in enumerate(of_images.seeds):
            made = checkpoint.load(trained.checkpoint / f"seed-{seed}")
            shards = made.open_shards(folder)
            own = [row for row in rows if row["image_id"] in shards.image_ids]
            with torch.inference_mode():
                images = made.model.encode_image(
                    made.collate(shards.rows(np.arange(len(shards))))
                ).double()
                texts = made.model.encode_text(
                    made.text_tokenizer.encode([row["caption"] for row in own])
                ).double()
            for text, row in zip(texts, own, strict=True):
                scored = dict(zip(shards.image_ids.tolist(), (images @ text).tolist(), strict=True))
                right = scored[row["image_id"]]
                rank = sum(value >= right for value in scored.values())
                place = of_texts.case_ids.tolist().index(row["caption_id"])
                assert of_texts.ranks[number, place] == rank
            for image, image_id in zip(images, shards.image_ids.tolist(), strict=True):
                scored = (texts @ image).tolist()
                mine = [row["image_id"] == image_id for row in own]
                best = max(s for s, own_one in zip(scored, mine, strict=True) if own_one)
                rank = 1 + sum(
                    s >= best for s, own_one in zip(scored, mine, strict=True) if not own_one
                )
                place = of_images.case_ids.tolist().index(image_id)
                assert of_images.ranks[number, place] == rank


def test_any_true_cases_are_those_of_a_plain_loop(trained, tmp_path):
    """Beside the paired ones, which stay as they are."""
    random = np.random.default_rng(1)
    val = TokenShards(trained.shards["val"]).image_ids.tolist()
    rows = trained.captions.to_pylist()
    own = {(row["caption_id"], row["image_id"]) for row in rows}
    true = {
        *((caption, image) for caption, image in own if image in val),
        *((row["caption_id"], random.choice(val).item()) for row in rows if row["image_id"] in val),
    }
    pairs = pa.Table.from_pylist(
        [{"caption_id": c, "image_id": i} for c, i in sorted(true)], schema=TRUTH.columns
    )
    known = replace(trained.annotations, truth=pairs)
    data = split_data("val", TokenShards(trained.shards["val"]), known)
    model = Model(trained.checkpoint / "seed-0")
    images, texts = (
        model.embed_images(data.images),
        model.embed_texts(data.captions["caption"].to_pylist()),
    )
    similar = (texts.double() @ images.double().T).numpy()
    captions, order = data.captions["caption_id"].to_pylist(), data.images.image_ids.tolist()
    right = np.array([[(c, i) in true for i in order] for c in captions])

    def case(scores, right):
        best = scores[right].max()
        return 1 + int((scores[~right] >= best).sum()), int(right.sum()), int(right.sum())

    wanted = {
        ("text_to_image_any_true", c): case(*each)
        for c, *each in zip(captions, similar, right, strict=True)
    }
    wanted |= {
        ("image_to_text_any_true", i): case(*each)
        for i, *each in zip(order, similar.T, right.T, strict=True)
    }
    found = retrieval.score(model, data).to_pylist()
    assert {
        (row["task"], row["case_id"]): (row["rank"], row["answers"], row["truths"])
        for row in found
        if row["task"].endswith("any_true")
    } == wanted
    paired = {(row["task"], row["case_id"]): row for row in found}
    for row in retrieval.score(model, replace(data, truth=None)).to_pylist():
        same = paired[row["task"], row["case_id"]]
        assert row["truths"] is None
        assert row == {**same, "truths": None}
        assert same["truths"] == wanted[row["task"] + "_any_true", row["case_id"]][2]
    ids = retrieval.case_ids(data)
    assert {(task, case) for task in ids for case in ids[task].tolist()} == set(paired)


def test_a_split_without_truth_is_asked_no_more(trained):
    val, test = (TokenShards(trained.shards[name]) for name in ("val", "test"))
    first = trained.captions.filter(np.asarray(trained.captions["image_id"]) == val.image_ids[0])
    known = replace(trained.annotations, truth=first.select(["caption_id", "image_id"]))
    assert len(split_data("val", val, known).truth) == len(first)
    assert split_data("test", test, known).truth is None


def test_a_caption_is_clustered_with_its_image(trained, scores):
    table = read_table(scores / "cases.parquet", CASES).to_pylist()
    owner = {row["caption_id"]: row["image_id"] for row in trained.captions.to_pylist()}
    for row in table:
        expected = owner[row["case_id"]] if row["task"] == "text_to_image" else row["case_id"]
        assert row["cluster_id"] == expected
    candidates = {(r["split"], r["task"], r["candidates"]) for r in table}
    assert ("test", "text_to_image", 30) in candidates


def test_siblings_are_one_cluster(trained):
    shards = TokenShards(trained.shards["val"])
    first, second, third = sorted(shards.image_ids.tolist())[:3]
    elsewhere = TokenShards(trained.shards["test"]).image_ids[0].item()
    rows = [
        (first, third, "roles", "a on b", "b on a"),
        (second, elsewhere, "roles", "a on b", "b on a"),
    ]
    names = SIBLINGS.columns.names
    pairs = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    data = split_data("val", shards, replace(trained.annotations, siblings=pairs))
    assert len(data.siblings) == 1
    assert data.clusters(np.array([third, second, first])).tolist() == [first, second, first]
    owner = {row["caption_id"]: row["image_id"] for row in trained.captions.to_pylist()}
    for row in retrieval.score(Model(trained.checkpoint / "seed-0"), data).to_pylist():
        image = owner.get(row["case_id"], row["case_id"])
        assert row["cluster_id"] == (first if image == third else image)


class Learner:
    """A benchmark that remembers what it was given to learn from."""

    CLEARS_CHANCE = NEEDS_TOKENS = NEEDS_SENTENCES = False

    def __init__(self):
        self.given = []

    def score(self, model, data, emit):
        vectors = [model.embed_images(each.images) for each in (data.train, data)]
        self.given.append((data.name, data.train, vectors))
        return retrieval.score(model, data, emit)


def test_benchmarks_may_learn_from_train_and_train_is_never_scored(trained, tmp_path, monkeypatch):
    learner = Learner()
    monkeypatch.setattr(benchmark, "find", lambda name: learner)
    shards = {"train": trained.shards["val"], "test": trained.shards["test"]}
    found = score(trained.checkpoint, shards, trained.annotations, ["learner"], tmp_path)
    assert set(found["split"].to_pylist()) == {"test"}
    ids, own = (TokenShards(shards[each]).image_ids.tolist() for each in ("train", "test"))
    for seed, (name, train, (known, asked)) in enumerate(learner.given):
        assert (name, train.name, train.train) == ("test", "train", None)
        assert train.images.image_ids.tolist() == ids
        assert set(train.captions["image_id"].to_pylist()) == set(ids)
        model = Model(trained.checkpoint / f"seed-{seed}")
        for vectors, split, images in ((known, "train", ids), (asked, "test", own)):
            assert len(vectors) == len(images)
            torch.testing.assert_close(
                vectors, model.embed_images(model.open_shards(shards[split]))
            )
    assert len(learner.given) == 2


def test_the_embeddings_of_three_sets_of_images_are_remembered():
    made, kept = [], Remembered()

    def get(key):
        return kept.get(key, lambda: torch.full((1,), float(made.append(key) or len(made))))

    assert [int(get(key)) for key in "abcab"] == [1, 2, 3, 1, 2]
    assert int(get("a")) == 1
    assert int(get("d")) == 4  # c was asked for before a and b
    assert [int(get(key)) for key in "abdc"] == [1, 2, 4, 5]
    assert made == ["a", "b", "c", "d", "c"]


def test_costs_are_means_over_seeds(scores):
    costs = json.loads((scores / "costs.json").read_text())
    assert costs["training_seconds"] == 1.5
    assert costs["tokens_per_image"] == 4
    assert set(costs["parameters"]) == {"blocks", "embeddings", "bias", "text", "scale"}


def test_the_same_inputs_give_the_same_bytes(trained, scores, tmp_path):
    score(trained.checkpoint, trained.shards, trained.annotations, ["retrieval"], tmp_path)
    assert digest(tmp_path) == digest(scores)


@pytest.mark.parametrize("name", ["nope", "intervals", "../retrieval", "scoring"])
def test_an_unknown_benchmark_is_refused(trained, tmp_path, name):
    with pytest.raises(SemtokError, match="is no benchmark"):
        score(trained.checkpoint, trained.shards, trained.annotations, [name], tmp_path)


def test_a_model_that_diverged_is_refused_by_name(trained, tmp_path):
    shutil.copytree(trained.checkpoint, tmp_path / "broken")
    made = checkpoint.load(tmp_path / "broken/seed-1")
    with torch.no_grad():
        made.model.vision.norm.weight.fill_(torch.nan)
    checkpoint.save(tmp_path / "broken/seed-1", made, [], {})
    with pytest.raises(SemtokError, match="broken/seed-1: embeds images"):
        score(tmp_path / "broken", trained.shards, trained.annotations, ["retrieval"], tmp_path)


def test_a_model_whose_vectors_are_not_of_unit_length_is_refused_by_name(trained, monkeypatch):
    folder = trained.checkpoint / "seed-1"
    model = Model(folder)
    encode = ImageTextModel.encode_text
    monkeypatch.setattr(ImageTextModel, "encode_text", lambda self, ids: 1.01 * encode(self, ids))
    with pytest.raises(SemtokError, match=f"{folder}: embeds captions.*not of unit length"):
        model.embed_texts(["a cat"])


def test_an_image_without_captions_is_refused(trained):
    images = TokenShards(trained.shards["test"])
    first = images.image_ids.min()
    captions = trained.captions
    captions = captions.filter(np.asarray(captions["image_id"]) != first)
    with pytest.raises(SemtokError, match=f"1 images have no caption, the first is image {first}"):
        split_data("test", images, replace(trained.annotations, captions=captions))


def test_a_checkpoint_without_trainings_is_refused(tmp_path):
    with pytest.raises(SemtokError, match="holds no training"):
        seed_folders(tmp_path)
