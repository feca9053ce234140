import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.models.attention import AdditiveBias, Attention, key_padding, pair_counts
from semtok.params import BiasMode
from semtok.tokens.links import patches_of_regions

HEADS, DEPTH, WIDTH, PREDICATES, VALUE = 2, 3, 8, 3, 0.75
MODES = get_args(BiasMode)
LEARNED = [mode for mode in MODES if mode != "fixed"]
#: Numbers in the tables of relations and of neighbours.
SIZES = {
    "fixed": (0, 0),
    "scalar": (1, 1),
    "head": (HEADS, HEADS),
    "layer_head": (DEPTH * HEADS, DEPTH * HEADS),
    "predicate": (PREDICATES + 1, 1),
}


def drawn_bias(
    seed: int, relations: bool = True, neighbours: bool = True, mode: BiasMode = "layer_head"
) -> AdditiveBias:
    torch.manual_seed(seed)
    value = VALUE if mode == "fixed" else None
    bias = AdditiveBias(DEPTH, HEADS, relations, neighbours, mode, PREDICATES, value).double()
    for table in bias.parameters():
        torch.nn.init.normal_(table)
    return bias


def weight_of(bias, table, layer, head, predicate=None):
    """The weight of a relation, or of a neighbourhood (no predicate), by each mode's own words."""
    match bias.mode:
        case "fixed":
            return VALUE
        case "scalar":
            return table.item()
        case "head":
            return table[0, head].item()
        case "layer_head":
            return table[layer, head].item()
        case "predicate":
            return table[0 if predicate is None else predicate, 0].item()


def dense_reference(batch, bias, layer):
    """The paper's B, pair by pair, with [CLS] first and padding at minus infinity."""
    images, tokens = batch.valid.shape
    dense = np.zeros((images, HEADS, tokens + 1, tokens + 1))
    for image in range(images):
        for head in range(HEADS):
            of_image = dense[image, head]
            if bias.relation is not None:
                for subject, object_, predicate, own in batch.edges[image].tolist():
                    weight = weight_of(bias, bias.relation, layer, head, predicate)
                    for a, b in ((subject, object_), (subject, own), (own, object_)):
                        if a >= 0 and b >= 0:
                            of_image[a + 1, b + 1] += weight
                            of_image[b + 1, a + 1] += weight
            if bias.neighbour is not None:
                weight = weight_of(bias, bias.neighbour, layer, head)
                for query, keys in enumerate(batch.neighbours[image].tolist()):
                    for key in keys:
                        if key >= 0:
                            of_image[query + 1, key + 1] += weight
            of_image[:, 1:][:, ~batch.valid[image].numpy()] = -np.inf
    return dense


def attention_reference(attention, x, bias):
    """softmax(QK^T / sqrt(d) + B) V in numpy, a head at a time."""
    weight, shift = (each.detach().numpy() for each in attention.q.parameters())
    q = x.numpy() @ weight.T + shift
    weight, shift = (each.detach().numpy() for each in attention.kv.parameters())
    k, v = np.split(x.numpy() @ weight.T + shift, 2, axis=-1)
    size = WIDTH // HEADS
    mixed = np.empty_like(q)
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        scores = q[..., part] @ k[..., part].swapaxes(1, 2) / math.sqrt(size) + bias[:, head]
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed[..., part] = weights / weights.sum(-1, keepdims=True) @ v[..., part]
    weight, shift = (each.detach().numpy() for each in attention.out.parameters())
    return mixed @ weight.T + shift


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    counts=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=3),
    intangible=st.booleans(),
    switches=st.tuples(st.booleans(), st.booleans()),
    mode=st.sampled_from(MODES),
)
def test_attention_with_bias_is_the_papers_formula(
    regions_of, seed, counts, intangible, switches, mode
) -> None:
    batch = regions_of(seed, *map(list, zip(*counts, strict=True)), intangible=intangible)
    bias = drawn_bias(seed, *switches, mode)
    attention = Attention(WIDTH, HEADS).double()
    x = torch.randn(len(batch), batch.valid.shape[1] + 1, WIDTH, dtype=torch.float64)
    for layer, ours in enumerate(bias(batch, key_padding(batch.valid))):
        found = attention(x, ours).detach().numpy()
        expected = attention_reference(attention, x, dense_reference(batch, bias, layer))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    counts=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=3),
    intangible=st.booleans(),
)
def test_the_bias_of_patches_is_that_of_the_regions_they_belong_to(
    region_rows_of, related_of, seed, counts, intangible
) -> None:
    regions, relations = map(list, zip(*counts, strict=True))
    rows = region_rows_of(seed, regions, relations)
    batch = related_of(seed, regions, relations, intangible=intangible)
    bias, attention = drawn_bias(seed, neighbours=False), Attention(WIDTH, HEADS).double()
    x = torch.randn(len(batch), batch.valid.shape[1] + 1, WIDTH, dtype=torch.float64)
    tokens = batch.valid.shape[1]
    belongs = np.split(patches_of_regions(rows.features, 2), np.cumsum(regions)[:-1])
    ends = np.split(rows.edge_ends, np.cumsum(relations)[:-1])
    for layer, ours in enumerate(bias(batch, key_padding(batch.valid))):
        dense = np.zeros((len(batch), HEADS, tokens + 1, tokens + 1))
        for image in range(len(batch)):
            for number, (subject, target) in enumerate(ends[image]):
                one, other, own = np.zeros((3, tokens + 1))
                one[1:5], other[1:5] = belongs[image][subject], belongs[image][target]
                if intangible:
                    own[5 + number] = 1
                pairs = np.outer(one, other) + np.outer(one, own) + np.outer(own, other)
                for head in range(HEADS):
                    weight = bias.relation[layer, head].item()
                    dense[image, head] += weight * (pairs + pairs.T)
            dense[image, :, :, 1:][:, :, ~batch.valid[image].numpy()] = -np.inf
        found = attention(x, ours).detach().numpy()
        expected = attention_reference(attention, x, dense)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), tokens=st.integers(1, 6), pairs=st.integers(0, 20))
def test_pairs_are_counted_as_often_as_listed(seed, tokens, pairs) -> None:
    listed = np.random.default_rng(seed).integers(-1, tokens, (2, pairs, 2))
    expected = np.zeros((2, tokens + 1, tokens + 1))
    for image in range(2):
        for i, j in listed[image]:
            if i >= 0 and j >= 0:
                expected[image, i + 1, j + 1] += 1
    np.testing.assert_array_equal(pair_counts(torch.from_numpy(listed), tokens), expected)


@pytest.mark.parametrize("mode", LEARNED)
def test_training_starts_from_plain_attention(regions_of, mode) -> None:
    batch = regions_of(0, [3, 3], [2, 2])
    made = AdditiveBias(DEPTH, HEADS, True, True, mode, PREDICATES)(batch, None)
    assert len(made) == DEPTH
    for bias in made:
        assert bias is not None
        assert not bias.any()


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_learns_as_many_numbers_as_it_says(mode) -> None:
    bias = drawn_bias(0, mode=mode)
    tables = dict(bias.named_parameters())
    sizes = [tables[name].numel() if name in tables else 0 for name in ("relation", "neighbour")]
    assert tuple(sizes) == SIZES[mode]
    assert bias.state_dict().keys() == tables.keys()


def test_a_model_of_one_layer_has_no_layer_to_bias(regions_of) -> None:
    for mode in MODES:
        bias = AdditiveBias(
            0, HEADS, True, True, mode, PREDICATES, 1.0 if mode == "fixed" else None
        )
        assert bias(regions_of(0, [3], [2]), None) == []


def test_without_bias_and_padding_there_is_no_mask(regions_of) -> None:
    even, uneven = regions_of(0, [3, 3], [2, 2]), regions_of(0, [3, 2], [2, 2])
    plain = AdditiveBias(DEPTH, HEADS, relations=False, neighbours=False)
    assert plain(even, key_padding(even.valid)) == [None] * DEPTH
    assert key_padding(uneven.valid).tolist() == [[[[0] * 6]], [[[0] * 5 + [-math.inf]]]]


@pytest.mark.parametrize("mode", LEARNED)
def test_gradients(regions_of, mode) -> None:
    batch = regions_of(1, [3, 2], [3, 1])
    bias, attention = drawn_bias(1, mode=mode), Attention(WIDTH, HEADS).double()
    x = torch.randn(2, batch.valid.shape[1] + 1, WIDTH, dtype=torch.float64, requires_grad=True)

    padding = key_padding(batch.valid)

    def attend(x, relation, neighbour):
        tables = {"relation": relation, "neighbour": neighbour}
        return attention(x, torch.func.functional_call(bias, tables, (batch, padding))[1])

    assert bias.relation is not None
    assert bias.neighbour is not None
    assert torch.autograd.gradcheck(attend, (x, bias.relation, bias.neighbour))


@pytest.mark.parametrize("mode", ["layer_head", "predicate"])
@pytest.mark.parametrize("relations", [[0, 0], [4, 1]])
def test_bias_works_in_mixed_precision(regions_of, relations, mode) -> None:
    batch = regions_of(2, [3, 2], relations)
    bias, attention = drawn_bias(2, mode=mode).float(), Attention(WIDTH, HEADS)
    x = torch.randn(2, batch.valid.shape[1] + 1, WIDTH)
    with torch.autocast("cpu", torch.bfloat16):
        found = attention(x, bias(batch, key_padding(batch.valid))[0])
    assert found.dtype == torch.bfloat16
    found.float().sum().backward()
    assert bias.neighbour is not None
    torch.testing.assert_close(
        found.float(), attention(x, bias(batch, key_padding(batch.valid))[0]), atol=0.05, rtol=0.05
    )
    assert bias.neighbour.grad is not None
    assert bias.neighbour.grad.isfinite().all()
