"""What a registered model is served with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ModelConfig
from semtok.models.text import ClipText, ScratchText
from semtok.params import EncoderSettings
from semtok.tracking.serving import example, needs
from semtok.train.text_tokenizer import TextTokenizer, learn, of_classes

OURS = ModelConfig(
    EncoderSettings(width=24, depth=3, heads=3, mlp_ratio=2.0, embedding=10),
    VisionConfig(48, 4, False, (), False, False, False),
    ScratchText(vocabulary=20, context=9, end=2, width=16, depth=2, heads=2),
)


@pytest.mark.parametrize(
    ("config", "scheme", "borrowed"),
    [
        (OURS, "grid", False),
        (replace(OURS, vision=replace(OURS.vision, encoder="clip_vision")), "grid", True),
        (replace(OURS, text=ClipText({"projection_dim": 10})), "grid", True),
        (OURS, "semantic_features", True),
    ],
    ids=["our own", "the reference ViT", "a CLIP text tower", "features of a backbone"],
)
def test_transformers_comes_along_where_the_model_is_built_with_it(
    tmp_path: Path, config: ModelConfig, scheme: str, borrowed: bool
) -> None:
    written = {"model": config.as_json(), "tokens": {"scheme": scheme, "settings": {}}}
    (tmp_path / "config.json").write_text(json.dumps(written))
    assert ("transformers" in needs(tmp_path)) == borrowed
    assert {"torch", "mlflow"} <= set(needs(tmp_path))


@pytest.mark.parametrize(
    ("tokenizer", "texts"),
    [
        (of_classes(["ox", "hen", "cow"]), ["cow", "hen"]),
        (learn(["an ox"], 300, 12), ["a grey square", "a cat on a mat"]),
    ],
    ids=["a classifier", "a reader of captions"],
)
def test_the_example_asks_what_the_model_can_read(
    tmp_path: Path, tokenizer: TextTokenizer, texts: list[str]
) -> None:
    (tmp_path / "text_tokenizer.json").write_text(tokenizer.as_json())
    assert example(tmp_path)["texts"].tolist() == [texts]
    assert tokenizer.encode(texts).shape[0] == 2
