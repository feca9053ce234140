"""Captions are encoded once a training, and a scoring that was killed goes on where it was."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from semtok.bench import embedding, remembered
from semtok.bench.benchmark import split_data
from semtok.bench.embedding import Model
from semtok.bench.scoring import score
from semtok.bench.selections import Selection
from semtok.models.image_text import ImageTextModel
from semtok.tokens.shards import TokenShards
from semtok.workspace import digest

#: Scored in this order; the second asks what the first did, in part.
BENCHMARKS = ["retrieval", "karpathy", "retrieval_permuted"]


@pytest.fixture
def encoded(monkeypatch):
    """What is encoded from now on: ("image" or "text", how many)."""
    found = []

    def counted(name):
        encode = getattr(ImageTextModel, f"encode_{name}")

        def call(self, batch, *arguments):
            found.append((name, len(batch)))
            return encode(self, batch, *arguments)

        monkeypatch.setattr(ImageTextModel, f"encode_{name}", call)

    counted("image")
    counted("text")
    return found


def total(encoded, name):
    return sum(count for kind, count in encoded if kind == name)


def test_each_caption_is_encoded_once_a_training(trained, encoded, tmp_path):
    shards = {"test": trained.shards["test"]}
    score(trained.checkpoint, shards, trained.annotations, BENCHMARKS, tmp_path)
    images = TokenShards(shards["test"])
    captions = split_data("test", images, trained.annotations).captions["caption"].to_pylist()
    assert total(encoded, "text") == 2 * len({*captions})  # of two trainings
    assert total(encoded, "image") == 2 * 2 * len(images)  # once more with permuted relations


def test_what_is_remembered_is_what_would_be_encoded(trained, encoded, monkeypatch):
    monkeypatch.setattr(remembered, "REMEMBERED", 40)
    captions = [f"{n} things" for n in range(30)]
    model, folder = Model(trained.checkpoint / "seed-0"), trained.checkpoint / "seed-0"
    asked = [captions[:20], captions[10:] + captions[:5] * 2, [f"{n} more" for n in range(20)]]
    for some in (*asked, asked[0]):
        torch.testing.assert_close(model.embed_texts(some), Model(folder).embed_texts(some))
    encoded.clear()
    model.embed_texts(asked[0])
    assert not encoded
    model.embed_texts([f"{n} others" for n in range(25)])
    model.embed_texts(asked[0])  # of which 15 are among the latest 40
    assert total(encoded, "text") == 25 + 5


SCRIPT = """
import os, pickle, signal, sys
from semtok.bench import embedding
from semtok.bench.scoring import score
from semtok.events import Progress
embedding.BATCH = 4
with open(sys.argv[1], "rb") as stream:
    arguments, kept = pickle.load(stream)
def emit(event):
    if event == Progress("embedding images", 12, 30) and kept.exists():
        emit.count += 1
    if emit.count == 2:  # in the midst of the second training
        os.kill(os.getpid(), signal.SIGKILL)
emit.count = 0
score(*arguments, emit=emit, kept=kept)
"""


@pytest.mark.slow
def test_a_scoring_that_was_killed_goes_on_to_the_same_bytes(
    trained, encoded, tmp_path, monkeypatch
):
    import pickle

    monkeypatch.setattr(embedding, "BATCH", 4)
    names = ["retrieval", "karpathy"]
    shards = {each: trained.shards[each] for each in ("val", "test")}
    given = (trained.checkpoint, shards, trained.annotations, names)
    whole = tmp_path / "whole"
    score(*given, whole)
    all_of_it = list(encoded)
    kept = tmp_path / "kept"
    (tmp_path / "given").write_bytes(pickle.dumps(((*given, tmp_path / "killed"), kept)))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "given")]
    killed = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "killed/cases.parquet").exists()
    encoded.clear()
    score(*given, tmp_path / "again", kept=kept)
    assert digest(tmp_path / "again") == digest(whole)
    # Of test the first training's images were there, and 12 of 30 of the second's.
    images = len(TokenShards(shards["val"])) + len(TokenShards(shards["test"]))
    assert total(all_of_it, "image") == 2 * images
    assert total(encoded, "image") == 30 - 12
    assert 0 < total(encoded, "text") < total(all_of_it, "text")
    encoded.clear()
    score(*given, tmp_path / "once more", kept=kept)
    assert not encoded
    assert digest(tmp_path / "once more") == digest(whole)


def test_kept_vectors_are_of_one_training_split_and_state(trained, encoded, tmp_path):
    """Each is encoded though others are kept in the same folder, and then none again."""
    folders = [trained.checkpoint / f"seed-{seed}" for seed in (0, 1)]

    def models():
        for folder in folders:
            model = Model(folder, tmp_path)
            yield from (model, model.with_permuted_relations())
            for budget in (0.5, 1.0):
                yield model.sending(Selection("random", budget))

    def vectors():
        splits = [TokenShards(trained.shards[each]) for each in ("val", "test")]
        return [torch.cat([model.embed_images(each) for each in splits]) for model in models()]

    first = vectors()
    assert total(encoded, "image") == 2 * 2 * 35
    encoded.clear()
    for one, other in zip(first, vectors(), strict=True):
        assert one.equal(other)
    assert not encoded
    for folder, model in zip(folders, (first[0], first[4]), strict=True):
        images = TokenShards(trained.shards["val"])
        assert model[:5].equal(Model(folder).embed_images(images))
