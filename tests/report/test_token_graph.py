"""The picture of one scene's tokens: they lie where they were, and the same input is the same."""

import numpy as np

from semtok.report import token_graph
from semtok.tokens import shards
from semtok.tokens.rows import Regions, pack, predicate_names


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


def test_the_same_tokens_are_the_same_picture(tmp_path) -> None:
    names = predicate_names([scene()])
    schema = shards.regions_schema(2, 1)
    tokens = {"scheme": "semantic", "settings": {}}
    path = tmp_path / "shards/000.arrow"
    shards.write(path, schema, pack([7], [scene()], names), names, tokens, "print")
    opened = shards.TokenShards(path.parent)
    for name in ("one.png", "two.png"):
        token_graph.draw(opened, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
