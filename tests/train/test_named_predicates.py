"""Intangible tokens from the names of predicates, read by the frozen text tower."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from semtok.models.predicates import NamedPredicates
from semtok.train import checkpoint
from semtok.train.train import train


@pytest.fixture(scope="module")
def published(arguments, clip_tower_in, tmp_path_factory) -> Path:
    """A training on PREDICATES, whose tower is gone."""
    folder = tmp_path_factory.mktemp("named")
    given = arguments("semantic", steps=6) | {"text": clip_tower_in(folder / "tower")}
    given["variant"] = replace(given["variant"], predicate_embedding="text", bias_mode="predicate")
    train(**given, staging=folder, resume=folder / "resume")
    shutil.rmtree(folder / "tower")
    return folder


@pytest.fixture
def trained(arguments, published) -> tuple[checkpoint.Checkpoint, Path]:
    """It, loaded anew, and its shards of val."""
    return checkpoint.load(published), arguments("semantic")["val_shards"]


def vector(loaded: checkpoint.Checkpoint, name: str) -> torch.Tensor:
    return loaded.model.encode_text(loaded.text_tokenizer.encode([name]))[0]


def test_a_predicate_is_what_the_tower_makes_of_its_name(trained) -> None:
    loaded, val = trained
    shards = loaded.open_shards(val)
    assert shards.predicates == ("above", "on", "under")
    embedding = loaded.model.vision.embedding
    assert embedding.predicate is None
    layer = embedding.named.projection
    assert layer.weight.shape == (16, 8)
    for number, name in enumerate(shards.predicates, start=1):
        expected = layer.weight @ vector(loaded, name) + layer.bias
        torch.testing.assert_close(embedding.named()[number], expected)
    # Of the tower's vectors nothing is trained or stored: they are the name's alone.
    assert not any("vectors" in name for name in loaded.model.state_dict())
    assert [name for name, _ in embedding.named.named_parameters()] == [
        "projection.weight",
        "projection.bias",
    ]


def test_a_predicate_that_training_never_met_says_what_its_name_says(trained) -> None:
    loaded, val = trained
    rows = loaded.open_shards(val).rows(np.arange(20))
    assert loaded.vocabulary(["riding", "on"]) == ("above", "on", "under", "riding")
    assert loaded.vocabulary([]) == ("above", "on", "under", "riding")

    def embed(predicate: int) -> torch.Tensor:
        with torch.inference_mode():
            said = replace(rows, edge_predicate=np.full_like(rows.edge_predicate, predicate))
            return loaded.model.encode_image(loaded.collate(said))

    related = rows.edge_counts > 0
    for other in (0, 1, 2, 3):
        assert (embed(4)[related] != embed(other)[related]).any(dim=1).all()
    embedding = loaded.model.vision.embedding.named
    assert torch.equal(embedding.vectors[4], vector(loaded, "riding"))
    assert not embedding.vectors[0].any()


def test_what_comes_first_does_not_matter(trained) -> None:
    """A vector is the name's, not its id's or its neighbours'."""
    loaded, _ = trained
    loaded.vocabulary(["riding", "holding"])
    named = loaded.model.vision.embedding.named
    for number, name in enumerate(named.names, start=1):
        assert torch.equal(named.vectors[number], vector(loaded, name))


def test_several_threads_may_ask_for_new_names(trained) -> None:
    loaded, _ = trained
    new = [f"name {number}" for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        asked = [new[start:] + new[:start] for start in (0, 0, 20, 20)]
        answers = list(pool.map(loaded.vocabulary, asked))
    named = loaded.model.vision.embedding.named
    assert sorted(named.names) == sorted(["above", "on", "under", *new])
    assert len(named.vectors) == 1 + len(named.names)
    for number, name in enumerate(named.names, start=1):
        assert torch.equal(named.vectors[number], vector(loaded, name))
    for answer in answers:
        assert answer == tuple(named.names[: len(answer)])
        assert set(new) <= set(answer)


def test_a_table_starts_like_a_learned_one() -> None:
    torch.manual_seed(0)
    named = NamedPredicates(64, 128)
    for number in range(50):
        named.add(str(number), torch.nn.functional.normalize(torch.randn(64), dim=0))
    assert named()[1:].std().item() == pytest.approx(128**-0.5, rel=0.05)
