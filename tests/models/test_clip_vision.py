"""Our encoder against `CLIPVisionModel` of transformers: same weights, same vectors."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.models.clip_vision import ClipVisionEncoder
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tokens.batch import PATCH, TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows

BLOCKS = EncoderSettings(width=24, depth=3, heads=3, mlp_ratio=2.0, embedding=10)
OURS = VisionConfig(48, 4, False, (), False, False, False)
REFERENCE = replace(OURS, encoder="clip_vision")
TEXT = ScratchText(vocabulary=20, context=9, end=2, width=16, depth=2, heads=2)


def shaken(side: int, patch: int, blocks: EncoderSettings, seed: int) -> ClipVisionEncoder:
    """A reference whose every weight, also what starts as 0 or 1, is drawn anew."""
    torch.manual_seed(seed)
    made = ClipVisionEncoder(
        replace(REFERENCE, feature_dim=3 * patch**2, patches=side**2), blocks
    ).double()
    with torch.no_grad():
        for each in made.parameters():
            each.add_(torch.randn_like(each) * 0.1)
    return made


def with_weights_of(reference: ClipVisionEncoder) -> VisualTokenEncoder:
    """Our encoder with the weights of the reference, its `pre_layrnorm` behind our embedding."""
    tower = reference.tower
    kernel = tower.embeddings.patch_embedding.weight  # [width, 3, patch, patch]
    positions = tower.embeddings.position_embedding.weight  # [CLS] first
    vision = replace(OURS, feature_dim=kernel[0].numel(), patches=len(positions) - 1)
    made = VisualTokenEncoder(vision, reference.settings).double()
    with torch.no_grad():
        # Ours lists the pixels of a patch row by row, each with its three channels.
        made.embedding.features.weight.copy_(kernel.permute(0, 2, 3, 1).flatten(1))
        made.embedding.features.bias.zero_()
        made.embedding.kind[PATCH] = 0
        made.embedding.position.copy_(positions[1:])
        made.embedding.cls.copy_(tower.embeddings.class_embedding + positions[0])
        for block, theirs in zip(made.blocks, tower.encoder.layers, strict=True):
            copied(block.norm_attention, theirs.layer_norm1)
            copied(block.norm_mlp, theirs.layer_norm2)
            attention = theirs.self_attn
            copied(block.attention.q, attention.q_proj)
            for name in ("weight", "bias"):
                both = [getattr(each, name) for each in (attention.k_proj, attention.v_proj)]
                getattr(block.attention.kv, name).copy_(torch.cat(both))
            copied(block.attention.out, attention.out_proj)
            copied(block.mlp[0], theirs.mlp.fc1)
            copied(block.mlp[2], theirs.mlp.fc2)
        copied(made.norm, tower.post_layernorm)
        copied(made.projection, reference.projection)
    made.embedding = nn.Sequential(made.embedding, tower.pre_layrnorm)
    return made


def copied(target: nn.Module, source: nn.Module) -> None:
    target.load_state_dict(source.state_dict())


def pictures(seed: int, images: int, side: int, patch: int) -> tuple[np.ndarray, TokenBatch]:
    size = (images, side * patch, side * patch, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    return pixels, Collate(patch_size=patch)(PixelRows(np.arange(images), pixels))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    side=st.integers(1, 4),
    patch=st.integers(1, 5),
    heads=st.integers(1, 3),
    depth=st.integers(1, 3),
)
def test_our_encoder_computes_what_the_reference_does(seed, side, patch, heads, depth) -> None:
    blocks = EncoderSettings(8 * heads, depth, heads, mlp_ratio=2.0, embedding=10)
    reference = shaken(side, patch, blocks, seed)
    _, batch = pictures(seed, 3, side, patch)
    with torch.inference_mode():
        found, expected = with_weights_of(reference)(batch), reference(batch)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_in_single_precision_they_agree_within_1e_5() -> None:
    reference = shaken(4, 4, BLOCKS, 0)
    ours = with_weights_of(reference)
    _, batch = pictures(0, 8, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(ours.float()(batch), reference.float()(batch), rtol=0, atol=1e-5)


def test_gradients_agree_too() -> None:
    reference = shaken(2, 4, BLOCKS, 1)
    ours = with_weights_of(reference)
    _, batch = pictures(1, 4, 2, 4)
    towards = torch.randn(4, 10, dtype=torch.float64)
    gradients = []
    for model in (ours, reference):
        model.zero_grad()
        (model(batch) * towards).sum().backward()
        gradients.append([each.grad for each in _in_order(model)])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def _in_order(model: VisualTokenEncoder | ClipVisionEncoder) -> list[Tensor]:
    """Parameters that both have one to one."""
    if isinstance(model, VisualTokenEncoder):
        blocks, norm = model.blocks, model.norm
        layers = [each for b in blocks for each in (b.attention.q, b.attention.out, b.mlp[0])]
    else:
        blocks, norm = model.tower.encoder.layers, model.tower.post_layernorm
        attention = [(b.self_attn, b.mlp) for b in blocks]
        layers = [each for a, mlp in attention for each in (a.q_proj, a.out_proj, mlp.fc1)]
    return [each.weight for each in (*layers, norm, model.projection)]


def test_the_reference_sees_the_picture_as_it_is() -> None:
    pixels, batch = pictures(2, 2, 3, 4)
    reference = shaken(3, 4, BLOCKS, 2)
    image = torch.from_numpy(pixels).double().permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        pooled = reference.tower(pixel_values=image).pooler_output
        expected = torch.nn.functional.normalize(reference.projection(pooled), dim=-1)
        torch.testing.assert_close(reference(batch), expected, rtol=0, atol=1e-12)


def test_blocks_have_equal_parameters_and_all_have_one_role() -> None:
    ours, reference = (
        ImageTextModel(ModelConfig(BLOCKS, vision, TEXT)) for vision in (OURS, REFERENCE)
    )
    roles, others = ours.parameters_by_role(), reference.parameters_by_role()
    assert (roles["blocks"], roles["text"]) == (others["blocks"], others["text"])
    assert others["bias"] == 0
    assert sum(others.values()) == sum(each.numel() for each in reference.parameters())


def test_flops_are_what_torch_counts() -> None:
    reference = ClipVisionEncoder(REFERENCE, BLOCKS)
    _, batch = pictures(0, 2, 2, 4)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        reference(batch)
    assert 2 * reference.flops(4) == counter.get_total_flops()


def test_config_survives_json() -> None:
    config = ModelConfig(BLOCKS, REFERENCE, TEXT)
    assert ModelConfig.from_json(config.as_json(), "config.json") == config
    older = config.as_json()
    older["vision"].pop("encoder")
    assert ModelConfig.from_json(older, "config.json").vision == OURS


@pytest.mark.slow
@pytest.mark.parametrize("vision", ["OURS", "REFERENCE"])
def test_transformers_is_imported_for_the_reference_alone(vision) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(sys.path[0])!r})
from tests.models.test_clip_vision import {vision}, BLOCKS, TEXT
sys.modules.pop("transformers", None)
sys.modules["transformers"] = None  # an import of it fails
from semtok.errors import SemtokError
from semtok.models.image_text import ImageTextModel, ModelConfig
try:
    ImageTextModel(ModelConfig(BLOCKS, {vision}, TEXT))
except SemtokError as error:
    assert "encoder: clip_vision needs transformers" in str(error)
    sys.exit(3)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == (3 if vision == "REFERENCE" else 0), done.stderr
