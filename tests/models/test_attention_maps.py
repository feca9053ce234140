from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.attention_maps import attention_maps, background, mass, rollout
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import EncoderSettings, GateSettings

BLOCKS = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=12)
NAMES = ("on", "under", "holding")
GRID = VisionConfig(48, 4, False, (), False, False, False)
VARIANTS = {
    "masked": VisionConfig(48, 4, True, NAMES, True, True, False, registers=2, key_mask=True),
    "related": VisionConfig(48, 4, True, NAMES, True, True, False),
    "clusters": replace(GRID, registers=1, clusters=2),
    "random": replace(GRID, clusters=4, cluster_order="random"),
    "semantic": VisionConfig(16, None, True, NAMES, True, True, True, registers=1),
}


def encoder(vision: VisionConfig) -> VisualTokenEncoder:
    torch.manual_seed(0)
    made = VisualTokenEncoder(vision, BLOCKS)
    for table in made.bias.parameters():
        torch.nn.init.normal_(table)
    return made


@pytest.mark.parametrize("name", VARIANTS)
def test_mixing_values_by_the_maps_is_what_the_encoder_computes(
    name, regions_of, related_of
) -> None:
    vision = VARIANTS[name]
    make = related_of if vision.patches else regions_of
    batch = make(0, [3, 1, 2], [2, 0, 4], intangible=vision.intangible)
    model = encoder(vision)
    maps = attention_maps(model, batch)
    tokens = model.leading + batch.valid.shape[1]
    assert maps.dtype == torch.float32
    assert maps.shape == (3, BLOCKS.depth, BLOCKS.heads, tokens, tokens)
    x = model.embedding(batch)
    for weights, block in zip(maps.unbind(1), model.blocks, strict=True):
        values = block.attention.kv(block.norm_attention(x))[..., BLOCKS.width :]
        values = values.unflatten(-1, (BLOCKS.heads, -1)).transpose(1, 2)
        x = x + block.attention.out((weights @ values).transpose(1, 2).flatten(2))
        x = x + block.mlp(block.norm_mlp(x))
    image = torch.nn.functional.normalize(model.projection(model.norm(x[:, 0])), dim=-1)
    torch.testing.assert_close(image, model(batch), rtol=1e-5, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    counts=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=3),
    masked=st.booleans(),
)
def test_attention_on_the_background_is_none_under_a_key_mask(
    related_of, seed, counts, masked
) -> None:
    batch = related_of(seed, *map(list, zip(*counts, strict=True)))
    covered = torch.rand(batch.kind.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    batch = replace(batch, foreground=batch.valid & covered)
    maps = attention_maps(encoder(replace(VARIANTS["masked"], key_mask=masked)), batch)
    behind = background(batch)
    of_maps, of_flow = mass(maps, behind), mass(rollout(maps, 0.9, "max"), behind)
    assert of_maps.shape == maps.shape[:3]
    there = behind.any(1)
    if masked:
        assert not maps[..., 3:].masked_select(behind[:, None, None, None]).any()
        assert not of_maps.any()
        assert not of_flow.any()
    else:
        assert (of_maps[there] > 0).all()
        assert (of_flow[there] > 0).all()
    assert not of_maps[~there].any()


def test_rollout_of_two_blocks_by_hand() -> None:
    first = torch.tensor([[[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.5]]])
    second = torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
    maps = torch.stack([first, second])[None].double()
    # Means over heads: [[.75, .25], [.25, .75]], then [[.25, .75], [.5, .5]]; half of each is I.
    one = torch.tensor([[0.875, 0.125], [0.125, 0.875]])
    other = torch.tensor([[0.625, 0.375], [0.25, 0.75]])
    torch.testing.assert_close(rollout(maps)[0], (other @ one).double())
    eye = torch.eye(2).double()
    heads = [
        (0.9 * second[head].double() + 0.1 * eye) @ (0.9 * first[head].double() + 0.1 * eye)
        for head in range(2)
    ]
    torch.testing.assert_close(rollout(maps, 0.9, "max")[0], torch.maximum(*heads))


def test_rollout_keeps_all_that_flows(related_of) -> None:
    batch = related_of(0, [3, 1], [2, 0])
    flow = rollout(attention_maps(encoder(VARIANTS["related"]), batch))
    torch.testing.assert_close(flow.sum(-1), torch.ones(flow.shape[:2]))
    assert not flow[1, 0, 1:][~batch.valid[1]].any()


def test_mass_counts_cls_alone_and_leaves_registers_out() -> None:
    maps = torch.zeros(1, 1, 1, 5, 5)  # [CLS], a register, three tokens
    maps[0, 0, 0, 0] = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25])
    found = mass(maps, torch.tensor([[True, False, True]]))
    torch.testing.assert_close(found, torch.tensor([[[0.55]]]))


def test_tokens_that_tell_no_foreground_have_no_background(patches_of) -> None:
    with pytest.raises(ValueError, match="take the tokenizer grid_relations"):
        background(patches_of(0, 1))


def test_gates_are_refused(related_of) -> None:
    gated = AdaptiveEncoder(replace(VARIANTS["related"], gates=GateSettings(block=1)), BLOCKS)
    with pytest.raises(ValueError, match="an encoder with gates has no maps of all tokens"):
        attention_maps(gated, related_of(0, [2], [1]))
