"""Registers and key masks, against attention written out in float64 and against loops."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import EncoderSettings
from semtok.tokens.batch import INTANGIBLE, TokenBatch

BLOCKS = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=12)
GRID = VisionConfig(48, 4, False, (), False, False, False)
RELATED = VisionConfig(48, 4, True, ("on", "under", "holding"), True, True, False)
SEMANTIC = VisionConfig(16, None, True, ("on", "under", "holding"), True, True, True)

COUNTS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=3)


def encoder(vision: VisionConfig, seed: int = 0) -> VisualTokenEncoder:
    """In double precision, with bias tables and registers as if trained."""
    torch.manual_seed(seed)
    made = VisualTokenEncoder(vision, BLOCKS).double()
    for table in made.bias.parameters():
        torch.nn.init.normal_(table)
    if made.embedding.registers is not None:
        torch.nn.init.normal_(made.embedding.registers)
    return made


def norm(x, layer):
    mean, spread = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    weight, shift = (each.detach().numpy() for each in layer.parameters())
    return (x - mean) / np.sqrt(spread + layer.eps) * weight + shift


def linear(x, layer):
    weight, shift = (each.detach().numpy() for each in layer.parameters())
    return x @ weight.T + shift


def reference(model: VisualTokenEncoder, batch: TokenBatch) -> np.ndarray:
    """[CLS], registers, tokens; dense attention a head and an image at a time: all in numpy."""
    special = model.embedding.registers
    count = 0 if special is None else len(special)
    plain = model.embedding
    held, plain.registers = plain.registers, None
    embedded = plain(batch).detach().numpy()
    plain.registers = held
    results = []
    for image in range(len(batch)):
        middle = np.empty((0, BLOCKS.width)) if special is None else special.detach().numpy()
        x = np.concatenate([embedded[image, :1], middle, embedded[image, 1:]])
        kept = batch.valid[image].clone()
        if model._key_mask:
            kept &= batch.foreground[image]
        keys = np.concatenate([np.ones(1 + count, bool), kept.numpy()])
        for layer, block in enumerate(model.blocks):
            bias = _bias(model, batch, image, layer, len(x), 1 + count)
            read, mixed = norm(x, block.norm_attention), np.empty_like(x)
            q = linear(read, block.attention.q)
            k, v = np.split(linear(read, block.attention.kv), 2, axis=-1)
            size = BLOCKS.width // BLOCKS.heads
            for head in range(BLOCKS.heads):
                part = slice(head * size, (head + 1) * size)
                for query in range(len(x)):
                    scores = k[:, part] @ q[query, part] / math.sqrt(size) + bias[head, query]
                    weights = np.where(keys, np.exp(scores - scores[keys].max()), 0)
                    mixed[query, part] = weights @ v[:, part] / weights.sum()
            x = x + linear(mixed, block.attention.out)
            hidden = torch.from_numpy(linear(norm(x, block.norm_mlp), block.mlp[0]))
            x = x + linear(F.gelu(hidden).numpy(), block.mlp[2])
        image_vector = model.projection.weight.detach().numpy() @ norm(x[0], model.norm)
        results.append(image_vector / np.linalg.norm(image_vector))
    return np.stack(results)


def _bias(model, batch, image, layer, tokens, leading) -> np.ndarray:
    """Relations and neighbours, pair by pair; nothing joins [CLS] or a register."""
    dense = np.zeros((BLOCKS.heads, tokens, tokens))
    if layer == BLOCKS.depth - 1:
        return dense
    for head in range(BLOCKS.heads):
        if model.bias.relation is not None:
            weight = model.bias.relation[layer, head].item()
            for subject, target, _, own in batch.edges[image].tolist():
                for a, b in ((subject, target), (subject, own), (own, target)):
                    if a >= 0 and b >= 0:
                        dense[head, a + leading, b + leading] += weight
                        dense[head, b + leading, a + leading] += weight
        if model.bias.neighbour is not None:
            weight = model.bias.neighbour[layer, head].item()
            for query, keys in enumerate(batch.neighbours[image].tolist()):
                for key in keys:
                    if key >= 0:
                        dense[head, query + leading, key + leading] += weight
    return dense


def assert_is_reference(model: VisualTokenEncoder, batch: TokenBatch) -> None:
    found = model(batch).detach().numpy()
    np.testing.assert_allclose(found, reference(model, batch), rtol=1e-9, atol=1e-11)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**20), counts=COUNTS, registers=st.integers(0, 3))
def test_registers_beside_regions_are_tokens_without_bias(
    regions_of, seed, counts, registers
) -> None:
    batch = regions_of(seed, *map(list, zip(*counts, strict=True)))
    assert_is_reference(encoder(replace(SEMANTIC, registers=registers), seed), batch)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**20), counts=COUNTS, registers=st.integers(0, 2), covered=st.floats(0, 1)
)
def test_what_no_mask_covers_is_nobodys_key(related_of, seed, counts, registers, covered) -> None:
    """With registers and the bias of relations, down to images without any foreground."""
    batch = related_of(seed, *map(list, zip(*counts, strict=True)))
    random = torch.Generator().manual_seed(seed)
    chosen = torch.rand(batch.kind.shape, generator=random) < covered
    batch = replace(batch, foreground=torch.where(batch.kind == INTANGIBLE, batch.valid, chosen))
    assert_is_reference(encoder(replace(RELATED, registers=registers, key_mask=True), seed), batch)


def test_an_image_without_foreground_is_cls_alone(related_of) -> None:
    batch = related_of(0, [2, 3], [0, 0], intangible=False)
    blank = replace(batch, foreground=torch.zeros_like(batch.valid))
    model = encoder(replace(GRID, key_mask=True))
    one, other = model(blank)
    assert one.isfinite().all()
    torch.testing.assert_close(one, other)


def test_all_covered_is_plain_attention(related_of) -> None:
    batch = related_of(1, [2, 3], [0, 0], intangible=False)
    full = replace(batch, foreground=torch.ones_like(batch.valid))
    plain, masked = encoder(GRID), encoder(replace(GRID, key_mask=True))
    assert torch.equal(plain(batch), masked(full))


def test_pixels_of_the_background_reach_nothing_but_themselves(related_of) -> None:
    batch = related_of(2, [2], [0], intangible=False)
    covered = torch.tensor([[True, False, True, False]])
    batch = replace(batch, foreground=covered)
    changed = replace(batch, features=torch.where(covered[..., None], batch.features, 7))
    for masked in (True, False):
        model = encoder(replace(GRID, key_mask=masked, registers=2))
        assert torch.equal(model(batch), model(changed)) is masked


def test_gradients_through_registers_and_masked_keys(related_of) -> None:
    batch = related_of(3, [2, 3], [2, 1])
    model = encoder(replace(RELATED, registers=2, key_mask=True))
    batch = replace(batch, foreground=batch.valid & (torch.arange(batch.valid.shape[1]) != 1))
    held = model.embedding.registers
    assert held is not None

    def encode(registers, relation):
        given = {"embedding.registers": registers, "bias.relation": relation}
        return torch.func.functional_call(model, given, (batch,))

    assert torch.autograd.gradcheck(encode, (held, model.bias.relation))


def test_one_seed_gives_the_same_start_with_and_without_registers() -> None:
    states = {}
    for count in (0, 4):
        torch.manual_seed(7)
        states[count] = VisualTokenEncoder(replace(SEMANTIC, registers=count), BLOCKS).state_dict()
        states[count]["drawn after"] = torch.randn(3)
    drawn = states[4].pop("embedding.registers")
    assert drawn.shape == (4, BLOCKS.width)
    assert 0.5e-6 < drawn.std() < 2e-6
    assert states[0].keys() == states[4].keys()
    assert all(torch.equal(each, states[4][name]) for name, each in states[0].items())


@pytest.mark.parametrize(("count", "masked"), [(0, True), (1, False), (4, True)])
def test_flops_are_what_torch_counts(related_of, count, masked) -> None:
    batch = related_of(0, [4, 4], [3, 3], intangible=False)
    vision = replace(GRID, relation_bias=True, registers=count, key_mask=masked)
    model = VisualTokenEncoder(vision, BLOCKS)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(batch)
    assert 2 * model.flops(4) == counter.get_total_flops()
