"""Gradients of a score, against autograd on attention that is written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.clip_vision import ClipVisionEncoder
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.relevance import gradient_input, relevance
from semtok.models.secvit_encoder import SecViTEncoder
from semtok.params import EncoderSettings, GateSettings
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows

BLOCKS = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=12)
NAMES = ("on", "under", "holding")
GRID = VisionConfig(48, 4, False, (), False, False, False)
VARIANTS = {
    "masked": VisionConfig(48, 4, True, NAMES, True, True, False, registers=2, key_mask=True),
    "clusters": replace(GRID, registers=1, clusters=2),
    "semantic": VisionConfig(16, None, True, NAMES, True, True, True, registers=1),
}


def written_out(model, batch, direction):
    """Both attributions as their papers have them: whole matrices, gradients by autograd."""
    padding = torch.zeros(batch.valid.shape).masked_fill_(~model.keys(batch), float("-inf"))
    padding = torch.nn.functional.pad(padding, (model.leading, 0))[:, None, None]
    biases = [*model.bias(batch, padding), padding]
    embedded = model.embedding(batch).detach().requires_grad_()
    x, attention = embedded, []
    clusters = [*model.clusters, None]
    for block, bias, cut in zip(model.blocks, biases, clusters, strict=True):
        read = block.norm_attention(x)
        weights = block.attention.weights(read, bias, cut).detach()
        change = torch.zeros_like(weights, requires_grad=True)
        attention.append((weights, change))
        # Scores depend on the tokens as well, so both ways are kept: the change adds nothing.
        weights = block.attention.weights(read, bias, cut) + change
        values = block.attention.kv(read)[..., BLOCKS.width :]
        values = values.unflatten(-1, (BLOCKS.heads, -1)).transpose(1, 2)
        x = x + block.attention.out((weights @ values).transpose(1, 2).flatten(2))
        x = x + block.mlp(block.norm_mlp(x))
    image = torch.nn.functional.normalize(model.projection(model.norm(x[:, 0])), dim=-1)
    (image @ direction).sum().backward()
    tokens = batch.valid.shape[1]
    flow = torch.eye(tokens + model.leading).expand(len(batch), -1, -1)
    for weights, change in attention:
        flow = flow + (weights * change.grad).clamp(min=0).mean(dim=1) @ flow
    return (embedded * embedded.grad).sum(dim=-1)[:, -tokens:], flow[:, 0, -tokens:]


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_are_those_of_attention_written_out(name, regions_of, related_of):
    vision = VARIANTS[name]
    make = related_of if vision.patches else regions_of
    batch = make(0, [3, 1, 2], [2, 0, 4], intangible=vision.intangible)
    torch.manual_seed(0)
    model = VisualTokenEncoder(vision, BLOCKS).eval()
    for table in model.bias.parameters():
        torch.nn.init.normal_(table)
    direction = torch.randn(BLOCKS.embedding, generator=torch.Generator().manual_seed(1))
    found = relevance(model, batch, lambda embedding: embedding @ direction)
    assert all(each.grad is None for each in model.parameters())
    for values, wanted in zip(found, written_out(model, batch, direction), strict=True):
        wanted = wanted.masked_fill(~batch.valid, 0)
        assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-6)
    alone = gradient_input(model, batch, lambda embedding: embedding @ direction)
    torch.testing.assert_close(alone, found.gradient_input)


PATCHES = replace(GRID, feature_dim=3 * 16**2, patches=16)
OTHERS = {
    "gates": (AdaptiveEncoder, replace(PATCHES, gates=GateSettings(block=2, bias=0.5))),
    "clip_vision": (ClipVisionEncoder, replace(PATCHES, encoder="clip_vision")),
    "secvit_tiny": (SecViTEncoder, replace(PATCHES, encoder="secvit_tiny")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_where_attention_is_not_read_it_is_how_a_score_grows_with_each_token(name):
    """Against differences: token by token a little larger, and a little smaller."""
    kind, vision = OTHERS[name]
    torch.manual_seed(0)
    model = kind(vision, BLOCKS).double().eval()
    if name == "gates":
        torch.nn.init.normal_(model.gates.weight, std=1.5)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    batch = Collate(patch_size=16)(PixelRows(np.arange(2), pixels))
    direction = torch.randn(BLOCKS.embedding, dtype=torch.float64)
    found = gradient_input(model, batch, lambda embedding: embedding @ direction)
    assert found.abs().max() > 1e-3

    def score(token, share):
        """With one token of both images so much larger: embedded, or as its bytes."""
        if name != "gates":
            features = batch.features.double()
            features[:, token] = 127.5 + (features[:, token] - 127.5) * (1 + share)
            return model(replace(batch, features=features)) @ direction
        place = token + model.leading
        scale = torch.ones(model.leading + 16, 1, dtype=torch.float64)
        scale[place] += share
        hook = model.embedding.register_forward_hook(lambda _, given, x: x * scale)
        try:
            return model(batch) @ direction
        finally:
            hook.remove()

    step = 1e-5
    with torch.no_grad():
        slopes = [(score(n, step) - score(n, -step)) / (2 * step) for n in range(16)]
    torch.testing.assert_close(found, torch.stack(slopes, dim=1), rtol=1e-4, atol=1e-7)
