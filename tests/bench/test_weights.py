"""Which weights scores are of, from what a reader tells to what people read."""

import json

import pytest

from semtok.bench import weights
from semtok.bench.weights import Weights
from semtok.errors import SemtokError

VERSION = {"registered": "models:/semtok-scenes/3", "checkpoint": "12ab"}


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({"digest": "34cd"}, "a folder of digest 34cd"),
        ({"hub": "some/clip", "revision": "56ef"}, "some/clip at commit 56ef"),
        (VERSION, "models:/semtok-scenes/3 with checkpoint 12ab"),
        (
            VERSION | {"extractor": "78ab"},
            "models:/semtok-scenes/3 with checkpoint 12ab, extractor 78ab",
        ),
    ],
)
def test_each_origin_is_read_as_it_was_written_and_named_in_words(tmp_path, origin, told):
    facts = {"model": "CLIPModel", **origin}
    weights.write(tmp_path, {**facts, "text_context": 77})
    found = weights.read(tmp_path)
    assert found == Weights(**facts)
    assert found.as_dict() == facts
    assert str(found) == f"CLIPModel, {told}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "model.json: no JSON mapping"),
        (json.dumps({"digest": "34cd"}), "model.json: model: missing"),
        (json.dumps({"model": "CLIPModel"}), "model.json: names no weights; run its stage again"),
    ],
)
def test_what_does_not_say_is_refused(tmp_path, text, fault):
    with pytest.raises(SemtokError, match=r"model.json: no such file"):
        weights.read(tmp_path)
    (tmp_path / weights.NAME).write_text(text)
    with pytest.raises(SemtokError, match=fault):
        weights.read(tmp_path)
