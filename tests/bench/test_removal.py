"""Which tokens come first, and what removing them costs a model whose answer is known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench import removal
from semtok.bench.orders import first
from semtok.bench.removal import ATTRIBUTIONS, LIME, RANDOM, SHARES, TokensOfVariant
from semtok.models.adaptive import run
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows, RegionRows

GRID = VisionConfig(48, 4, False, (), False, False, False)
TEXT = ScratchText(300, 12, 1, 8, 1, 2)


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=8, max_size=8), min_size=1, max_size=4),
    st.integers(0, 255),
    st.sampled_from(SHARES),
)
def test_first_are_the_highest_of_those_that_are_there(merits, bits, share):
    readable = torch.tensor([[bool(bits >> each & 1) for each in range(8)]] * len(merits))
    found = first(torch.tensor(merits).float(), readable, share)
    there = [each for each in range(8) if readable[0, each]]
    count = math.ceil(round(share * len(there), 9))
    for row, merit in zip(found, merits, strict=True):
        wanted = sorted(there, key=lambda each: (-merit[each], each))[:count]
        assert torch.nonzero(row)[:, 0].tolist() == sorted(wanted)


def one_token_decides():
    """A model that says A where a token is white, and B where none is; black ones are nothing."""
    config = EncoderSettings(width=4, depth=1, heads=1, mlp_ratio=1, embedding=4)
    vision = VisionConfig(4, None, True, (), False, False, False)
    model = ImageTextModel(ModelConfig(config, vision, TEXT)).eval()
    for parameter in model.vision.parameters():
        torch.nn.init.zeros_(parameter)
    (block,) = model.vision.blocks
    with torch.no_grad():
        model.vision.embedding.features.weight[0] = 0.5
        model.vision.embedding.features.bias[0] = 2.0  # of black, -1, nothing is left
        block.norm_attention.weight.fill_(1)
        block.attention.kv.weight[4:] = torch.eye(4)
        block.attention.out.weight.copy_(torch.eye(4))
        model.vision.norm.weight.fill_(1)
        model.vision.norm.bias[1] = 1
        model.vision.projection.weight.copy_(torch.eye(4))
    return model


def test_the_right_attribution_is_as_comprehensive_as_can_be_and_sufficient():
    model, side = one_token_decides(), 12
    places = np.array([0, 5, 11, 7])
    features = np.zeros((4, side, 4), np.uint8)
    features[np.arange(4), places] = 255
    nothing = np.zeros(4, np.int64)
    rows = RegionRows(
        image_ids=np.arange(4),
        region_counts=np.full(4, side),
        features=features.reshape(-1, 4),
        geometry=np.zeros((4 * side, 5), np.float32),
        neighbours=np.zeros((4 * side, 0), np.int16),
        edge_counts=nothing,
        edge_ends=np.zeros((0, 2), np.int16),
        edge_predicate=nothing[:0],
    )
    batch = Collate()(rows)
    with torch.no_grad():
        white = model.vision(batch)
        black = run(model.vision, batch, among=torch.zeros(4, side, dtype=torch.bool)).embedding
    candidates = torch.stack([black[0], white[0]])
    found = removal.measure([(rows.image_ids, TokensOfVariant(model, batch))], candidates, 400)
    angle = float(black[0] @ white[0])
    scale = model.logit_scale.item()
    told = 1 / (1 + math.exp(-scale * (1 - angle)))  # white against black, where it is white
    np.testing.assert_allclose(found.whole, told, atol=1e-3)
    for name in ("gradient_input", "attention_gradient", LIME):
        np.testing.assert_allclose(found.without[name], 1 - told, atol=1e-6)
        np.testing.assert_allclose(found.alone[name] - found.whole, 0, atol=1e-3)
    # Attention is even, so that the first token counts for most: right in the first image alone.
    lost = found.whole - found.without["attention"][0]
    assert lost[0] > 0.5 and np.abs(lost[1:]).max() < 1e-3
    # A random token is the white one in 1 of 12 draws: of half of them it is there as often as not.
    assert found.without[RANDOM][-1].mean() == pytest.approx(0.5, abs=0.35)
    for name in (*ATTRIBUTIONS, LIME, RANDOM):
        assert (found.whole - found.without[name] <= 2 * told - 1 + 1e-3).all()


def test_orders_are_an_images_own():
    model = ImageTextModel(ModelConfig(EncoderSettings(16, 2, 2, 2.0, 12), GRID, TEXT)).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    rows = PixelRows(np.arange(10, 16), pixels)
    vectors = torch.nn.functional.normalize(torch.randn(5, 12), dim=1)
    found = []
    for parts in ([slice(0, 6)], [slice(0, 2), slice(2, 6)]):
        batches = [
            (ids, TokensOfVariant(model, Collate(patch_size=4)(PixelRows(ids, pixels[part]))))
            for part, ids in ((part, rows.image_ids[part]) for part in parts)
        ]
        found.append(removal.measure(batches, vectors, lime_draws=30))
    for name in (*ATTRIBUTIONS, LIME, RANDOM):
        np.testing.assert_allclose(found[0].without[name], found[1].without[name], atol=1e-6)
        np.testing.assert_allclose(found[0].alone[name], found[1].alone[name], atol=1e-6)
        assert found[0].without[name].shape == (len(SHARES), 6)
