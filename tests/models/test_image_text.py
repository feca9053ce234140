import json

import pytest
import torch

from semtok.errors import SemtokError
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings

CONFIG = ModelConfig(
    encoder=EncoderSettings(width=16, depth=2, heads=2, mlp_ratio=4.0, embedding=12),
    vision=VisionConfig(16, None, True, ("on", "under", "holding"), True, True, True),
    text=ScratchText(vocabulary=20, context=9, end=2, width=16, depth=2, heads=2),
)


def test_images_and_captions_meet_in_one_space(regions_of) -> None:
    model = ImageTextModel(CONFIG)
    images = model.encode_image(regions_of(0, [3, 1], [2, 0]))
    texts = model.encode_text(torch.tensor([[1, 5, 2], [1, 2, 0]]))
    assert images.shape == texts.shape == (2, 12)


def test_config_survives_json() -> None:
    raw = json.loads(json.dumps(CONFIG.as_json()))
    assert ModelConfig.from_json(raw, "config.json") == CONFIG


@pytest.mark.parametrize("part", ["vision", "text", "encoder"])
def test_config_with_an_unknown_key_is_refused(part) -> None:
    raw = json.loads(json.dumps(CONFIG.as_json()))
    raw[part]["colour"] = 1
    with pytest.raises(SemtokError, match=rf"config\.json: .*{part}.*colour"):
        ModelConfig.from_json(raw, "config.json")


def test_every_parameter_has_one_role() -> None:
    model = ImageTextModel(CONFIG)
    roles = model.parameters_by_role()
    assert sum(roles.values()) == sum(each.numel() for each in model.parameters())
    assert roles["bias"] == 2 * (CONFIG.encoder.depth - 1) * CONFIG.encoder.heads
    assert roles["scale"] == 1


def test_logit_scale_starts_at_clips_and_stays_below_100() -> None:
    model = ImageTextModel(CONFIG)
    assert model.logit_scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        model.log_scale.fill_(50.0)
    model.clamp_logit_scale()
    assert model.logit_scale.item() == pytest.approx(100)
    model.logit_scale.backward()
    assert model.log_scale.grad
