"""Patches are read out of models as their own code computes them."""

from dataclasses import replace

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)

from semtok.models.patch_tokens import of_encoder, of_transformers
from tests.models.test_encoder import GRID, encoder

COMMON = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 12,
    "patch_size": 4,
}


MODELS = {
    "dinov2": lambda: Dinov2Model(Dinov2Config(**COMMON)),
    "registers": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(**COMMON, num_register_tokens=3)
    ),
    "vit": lambda: ViTModel(ViTConfig(**COMMON, intermediate_size=32)),
    "clip": lambda: CLIPVisionModel(CLIPVisionConfig(**COMMON, intermediate_size=32)),
    "siglip": lambda: SiglipVisionModel(SiglipVisionConfig(**COMMON, intermediate_size=32)),
}

#: Tokens before the patches, where that is not [CLS] alone.
LEADING = {"registers": 4, "siglip": 0}


def test_our_own_patches_are_read_behind_registers(patches_of) -> None:
    model, batch = encoder(replace(GRID, registers=2)), patches_of(0, 3)
    found = of_encoder(model, batch)
    assert found.output.shape == found.keys.shape == (3, 4, 16)
    x, _ = model.contextualise(batch)
    block = model.blocks[-1]
    torch.testing.assert_close(found.output, block(x)[:, 3:])
    torch.testing.assert_close(
        found.values, block.attention.kv(block.norm_attention(x))[:, 3:, 16:]
    )
    pixels = batch.features.double() / 127.5 - 1
    torch.testing.assert_close(found.embedded, model.embedding.features(pixels))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(12, 12), (16, 8)])
def test_models_of_transformers_are_read_by_their_own_code(name, size) -> None:
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    pixels = torch.randn(2, 3, *size)
    found = of_transformers(model, pixels)
    rows, columns = size[0] // 4, size[1] // 4
    assert (found.rows, found.columns) == (rows, columns)
    for each in (found.output, found.embedded, found.queries, found.keys, found.values):
        assert each.shape == (2, rows * columns, 16)
    leading = LEADING.get(name, 1)
    more = {} if name in ("dinov2", "registers") else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        whole = model(pixel_values=pixels, **more).last_hidden_state[:, leading:]
        norms = {"clip": torch.nn.Identity(), "siglip": getattr(model, "post_layernorm", None)}
        norm = norms.get(name) or model.layernorm
        torch.testing.assert_close(norm(found.output), whole)
        convolution = next(each for each in model.modules() if isinstance(each, torch.nn.Conv2d))
        embedded = convolution(pixels).flatten(2).mT
    torch.testing.assert_close(found.embedded, embedded)
