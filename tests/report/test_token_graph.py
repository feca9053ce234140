"""The picture of one scene's tokens: they lie where they were, and the same input is the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semtok.models.attention import AdditiveBias
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.report import token_graph
from semtok.tokens import shards
from semtok.tokens.collate import Collate
from semtok.tokens.rows import Regions, pack, predicate_names
from semtok.train import checkpoint, text_tokenizer

TOKENS = {"scheme": "semantic", "settings": {}}


def scene() -> Regions:
    """A red floor in the lower half, and on it a small blue box in front."""
    red, blue = ([*colour, 255] * 4 for colour in ((255, 0, 0), (0, 0, 255)))
    return Regions(
        features=np.array([red, blue], np.uint8),
        geometry=np.array([[0.5, 0.75, 1, 0.5, 0.5], [0.25, 0.5, 0.25, 0.25, 0.06]], np.float32),
        neighbours=np.array([[1], [0]], np.int16),
        edge_ends=np.array([[1, 0]], np.int16),
        edge_predicate=("on",),
    )


def test_tokens_lie_where_they_were() -> None:
    canvas = token_graph.laid_out(pack([7], [scene()], ["on"]), 16)
    wanted = np.full((16, 16, 3), 232, np.uint8)
    wanted[8:] = (255, 0, 0)
    wanted[6:10, 2:6] = (0, 0, 255)
    np.testing.assert_array_equal(canvas, wanted)


def written(folder: Path) -> Path:
    names = predicate_names([scene()])
    schema = shards.regions_schema(2, 1)
    rows = pack([7], [scene()], names)
    shards.write(folder / "000.arrow", schema, rows, names, TOKENS, "print")
    return folder


def test_the_same_tokens_are_the_same_picture(tmp_path) -> None:
    opened = shards.TokenShards(written(tmp_path / "shards"))
    for name in ("one.png", "two.png"):
        token_graph.draw(opened, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_what_is_added_is_the_mean_of_layers_and_heads() -> None:
    bias = AdditiveBias(2, 2, relations=True, neighbours=True)
    with torch.no_grad():
        bias.relation.copy_(torch.tensor([[1.0, 3.0], [-2.0, 0.0]]))
        bias.neighbour.copy_(torch.tensor([[0.0, -4.0], [1.0, 1.0]]))
    rows = pack([7], [scene()], ["on"])
    # Floor and box are each other's nearest, and the box is on the floor.
    relation, neighbour = 0.5, -0.5
    pair = relation + neighbour
    wanted = np.zeros((4, 4))
    wanted[1:, 1:] = [[0, pair, relation], [pair, 0, relation], [relation, relation, 0]]
    found = token_graph.added(bias, Collate(intangible=True)(rows))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(token_graph.added(bias, Collate()(rows)), wanted[:3, :3], atol=1e-6)


def trained(folder: Path, **joined: Any) -> Path:
    """A checkpoint of random weights."""
    text = text_tokenizer.learn(["a red floor", "a blue box"], 300, 8)
    encoder = EncoderSettings(width=8, depth=3, heads=2, mlp_ratio=2.0, embedding=4)
    vision = VisionConfig(16, None, True, ("on",), intangible=False, registers=2, **joined)
    config = ModelConfig(encoder, vision, ScratchText(text.vocabulary, 8, text.end, 8, 1, 2))
    made = checkpoint.Checkpoint(ImageTextModel(config), text, TOKENS, Collate())
    checkpoint.save(folder, made, [], {})
    return folder


@pytest.mark.parametrize(("relations", "neighbours"), [(True, False), (False, True)])
def test_what_a_training_adds_is_drawn(tmp_path, relations, neighbours) -> None:
    training = trained(tmp_path / "a", relation_bias=relations, neighbour_bias=neighbours)
    names = token_graph.draw_first(training, written(tmp_path / "shards"), tmp_path)
    assert [(tmp_path / each).read_bytes()[:4] for each in names] == [b"\x89PNG"]


def test_where_nothing_is_added_nothing_is_drawn(tmp_path) -> None:
    plain = trained(tmp_path / "plain", relation_bias=False, neighbour_bias=False)
    assert token_graph.draw_first(plain, written(tmp_path / "shards"), tmp_path) == ()
    assert not list(tmp_path.glob("*.png"))
