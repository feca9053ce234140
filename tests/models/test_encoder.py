from dataclasses import replace
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import ClusterOrder, EncoderSettings
from semtok.tokens.batch import INTANGIBLE, TANGIBLE, TokenBatch

BLOCKS = EncoderSettings(width=16, depth=2, heads=2, mlp_ratio=4.0, embedding=12)
GRID = VisionConfig(48, 4, False, (), False, False, False)
MASKS = VisionConfig(16, None, True, (), False, False, False)
SEMANTIC = VisionConfig(16, None, True, ("on", "under", "holding"), True, True, True)
GRID_BIAS = VisionConfig(48, 4, False, ("on", "under", "holding"), False, True, False)
GRID_RELATIONS = replace(GRID_BIAS, geometry=True, intangible=True)
GRID_CLUSTERS = replace(GRID, clusters=2)
VARIANTS = {
    "grid": GRID,
    "grid_clusters": GRID_CLUSTERS,
    "grid_bias": GRID_BIAS,
    "grid_relations": GRID_RELATIONS,
    "masks": MASKS,
    "semantic": SEMANTIC,
}


def encoder(vision: VisionConfig, seed: int = 0) -> VisualTokenEncoder:
    """In double precision, with bias tables as if trained."""
    torch.manual_seed(seed)
    made = VisualTokenEncoder(vision, BLOCKS).double()
    for table in made.bias.parameters():
        torch.nn.init.normal_(table)
    return made


def padded(batch: TokenBatch, tokens: int, edges: int, neighbours: int) -> TokenBatch:
    return TokenBatch(
        features=F.pad(batch.features, (0, 0, 0, tokens)),
        geometry=F.pad(batch.geometry, (0, 0, 0, tokens)),
        kind=F.pad(batch.kind, (0, tokens)),
        valid=F.pad(batch.valid, (0, tokens)),
        edges=F.pad(batch.edges, (0, 0, 0, edges), value=-1),
        neighbours=F.pad(batch.neighbours, (0, neighbours, 0, tokens), value=-1),
    )


counts = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), counts=counts, more=st.tuples(*[st.integers(0, 4)] * 3))
def test_padding_changes_nothing(regions_of, seed, counts, more) -> None:
    batch = regions_of(seed, *map(list, zip(*counts, strict=True)))
    model = encoder(SEMANTIC)
    torch.testing.assert_close(model(padded(batch, *more)), model(batch), rtol=1e-9, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), counts=counts, more=st.tuples(*[st.integers(0, 4)] * 2))
def test_padding_changes_nothing_behind_patches(related_of, seed, counts, more) -> None:
    batch = related_of(seed, *map(list, zip(*counts, strict=True)))
    model = encoder(GRID_RELATIONS)
    wanted = model(batch)
    torch.testing.assert_close(model(padded(batch, *more, 0)), wanted, rtol=1e-9, atol=1e-11)
    for image, (_, relations) in enumerate(counts):
        of_tokens = ("features", "geometry", "kind", "valid", "neighbours")
        alone = {name: getattr(batch, name)[[image], : 4 + relations] for name in of_tokens}
        found = model(TokenBatch(**alone, edges=batch.edges[[image]]))
        torch.testing.assert_close(found, wanted[[image]], rtol=1e-9, atol=1e-11)


def test_a_patch_model_without_relations_to_see_is_the_plain_one(related_of, patches_of) -> None:
    """Relations are all that the variant adds: take them away and `vit` is left."""
    model, plain = encoder(GRID_RELATIONS), encoder(GRID)
    plain.load_state_dict(
        {name: each for name, each in model.state_dict().items() if name in plain.state_dict()}
    )
    batch = related_of(5, [3, 2], [0, 0])
    torch.testing.assert_close(model(batch), plain(batch), rtol=1e-12, atol=1e-14)


def test_an_image_does_not_depend_on_its_batch(regions_of) -> None:
    alone, together = regions_of(0, [4], [3]), regions_of(0, [4, 6, 1], [3, 0, 5])
    filled = [each.clone() for each in (together.features, together.geometry, together.neighbours)]
    # The second batch draws other numbers: give its first image those of the first.
    tokens, edges = alone.valid.shape[1], alone.edges.shape[1]
    filled[0][0, :tokens], filled[1][0, :tokens] = alone.features[0], alone.geometry[0]
    filled[2][0, :tokens] = alone.neighbours[0]
    of_edges = together.edges.clone()
    of_edges[0, :edges] = alone.edges[0]
    batch = replace(
        together, features=filled[0], geometry=filled[1], neighbours=filled[2], edges=of_edges
    )
    model = encoder(SEMANTIC)
    torch.testing.assert_close(model(batch)[0], model(alone)[0], rtol=1e-9, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), relations=st.integers(0, 6))
def test_the_order_of_tangible_tokens_says_nothing(regions_of, seed, relations) -> None:
    batch = regions_of(seed, [5], [relations])
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    where = torch.argsort(order)  # old position -> new one

    def moved(values):
        return torch.cat([values[:, order], values[:, 5:]], dim=1)

    def renamed(positions):
        return torch.where(
            (positions >= 0) & (positions < 5), where[positions.clamp(0, 4)], positions
        )

    shuffled = replace(
        batch,
        features=moved(batch.features),
        geometry=moved(batch.geometry),
        neighbours=renamed(moved(batch.neighbours)),
        edges=torch.cat([renamed(batch.edges[..., :2]), batch.edges[..., 2:]], dim=-1),
    )
    model = encoder(SEMANTIC)
    torch.testing.assert_close(model(shuffled), model(batch), rtol=1e-9, atol=1e-11)


def test_relations_reach_the_embedding_by_every_way_that_is_on(regions_of) -> None:
    batch = regions_of(3, [4], [3])
    other_ends = batch.edges.clone()
    other_ends[..., :2] = (other_ends[..., :2] + 1) % 4
    other_predicates = batch.edges.clone()
    other_predicates[..., 2] = (other_predicates[..., 2] + 1) % 4
    other_neighbours = (batch.neighbours + 2) % 4
    changes = {
        "relation_bias": replace(batch, edges=other_ends),
        "intangible": replace(batch, edges=other_predicates),
        "neighbour_bias": replace(batch, neighbours=other_neighbours),
    }
    for switch, changed in changes.items():
        for on in (True, False):
            model = encoder(replace(SEMANTIC, **{switch: on}))
            assert torch.equal(model(changed), model(batch)) is not on, switch


def test_relations_reach_a_patch_model_by_every_way_that_is_on(related_of) -> None:
    batch = related_of(3, [4], [3])
    between, of_token = batch.edges[..., 3] < 0, batch.edges[..., 3] >= 0
    other_pairs, other_predicates = batch.edges.clone(), batch.edges.clone()
    other_pairs[between, :2] = (other_pairs[between, :2] + 1) % 4
    other_predicates[of_token, 2] = (other_predicates[of_token, 2] + 1) % 4
    changes = {"relation_bias": other_pairs, "intangible": other_predicates}
    for switch, edges in changes.items():
        for on in (True, False):
            model = encoder(replace(GRID_RELATIONS, **{switch: on}))
            changed = model(replace(batch, edges=edges))
            assert torch.equal(changed, model(batch)) is not on, switch


@pytest.mark.parametrize("order", get_args(ClusterOrder))
def test_one_cluster_is_the_plain_model(patches_of, order) -> None:
    batch = patches_of(4, 3)
    one = encoder(replace(GRID, clusters=1, cluster_order=order))
    torch.testing.assert_close(one(batch), encoder(GRID)(batch), rtol=1e-12, atol=1e-14)


def test_every_layer_but_the_last_attends_within_clusters(patches_of) -> None:
    """[CLS] sees everything; a patch sees what shares its cluster, and [CLS]."""
    model = encoder(replace(GRID, clusters=2, cluster_order="spatial"))
    x = torch.randn(1, 5, BLOCKS.width, dtype=torch.float64, requires_grad=True)
    [clusters] = model.clusters
    mixed = model.blocks[0].attention(x, clusters=clusters)
    for token, seen in enumerate(([0, 1, 2, 3, 4], [0, 1, 2], [0, 1, 2], [0, 3, 4], [0, 3, 4])):
        gradient = torch.autograd.grad(mixed[0, token].sum(), x, retain_graph=True)[0]
        assert gradient[0].abs().sum(-1).nonzero().flatten().tolist() == seen


@pytest.mark.parametrize("order", get_args(ClusterOrder))
def test_a_clustered_image_does_not_depend_on_its_batch(patches_of, order) -> None:
    batch = patches_of(6, 4)
    model = encoder(replace(GRID, clusters=2, cluster_order=order))
    together = model(batch)
    for image in range(4):
        told = {name: each for name, each in vars(batch).items() if each is not None}
        alone = TokenBatch(**{name: each[[image]] for name, each in told.items()})
        torch.testing.assert_close(model(alone)[0], together[image], rtol=1e-12, atol=1e-14)


def test_an_intangible_token_shows_its_predicate(regions_of) -> None:
    batch = regions_of(0, [3, 1], [2, 4])
    embedding = encoder(SEMANTIC).embedding
    embedded = embedding(batch)[:, 1:]
    assert embedding.geometry is not None
    assert embedding.predicate is not None
    rest = embedding.kind[INTANGIBLE] + embedding.geometry(batch.geometry.double())
    for image, edges in enumerate(batch.edges.tolist()):
        for _, _, predicate, own in edges:
            if own >= 0:
                expected = embedding.predicate[predicate] + rest[image, own]
                torch.testing.assert_close(embedded[image, own], expected)


def test_patches_have_places(patches_of) -> None:
    batch = patches_of(0, 2)
    moved = replace(batch, features=batch.features.flip(1))
    assert not torch.allclose(encoder(GRID)(moved), encoder(GRID)(batch))


def test_embeddings_have_unit_length(regions_of) -> None:
    found = encoder(SEMANTIC)(regions_of(0, [1, 4], [0, 3]))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2, dtype=torch.float64))


def test_every_parameter_learns(regions_of, patches_of, related_of) -> None:
    for vision, batch in (
        (SEMANTIC, regions_of(0, [4, 3], [9, 9])),
        (GRID, patches_of(0, 2)),
        (GRID_CLUSTERS, patches_of(0, 2)),
        (GRID_RELATIONS, related_of(0, [4, 3], [9, 9])),
    ):
        model = encoder(vision)
        model(batch).pow(3).sum().backward()
        for name, each in model.named_parameters():
            assert each.grad is not None, name
            assert each.grad.any(), name


def test_a_backbones_numbers_are_read_whatever_their_scale(regions_of) -> None:
    batch = regions_of(0, [4, 2], [3, 1])
    numbers = torch.randn(batch.features.shape, generator=torch.Generator().manual_seed(0))
    told = replace(batch, features=(numbers * (batch.kind == TANGIBLE)[..., None]).half())
    model = encoder(SEMANTIC)
    found = model(told)
    scaled = replace(told, features=told.features * 64)
    torch.testing.assert_close(model(scaled), found, rtol=1e-4, atol=1e-4)
    other = replace(told, features=told.features.flip(-1))
    assert not torch.allclose(model(other), found, atol=1e-3)
    torch.testing.assert_close(model(padded(told, 3, 2, 1)), found, rtol=1e-9, atol=1e-11)


def test_all_variants_share_blocks_and_their_start() -> None:
    shared = ("blocks.", "norm.", "projection.")
    states = []
    for vision in VARIANTS.values():
        torch.manual_seed(7)
        state = VisualTokenEncoder(vision, BLOCKS).state_dict()
        states.append({name: each for name, each in state.items() if name.startswith(shared)})
    for state in states[1:]:
        assert state.keys() == states[0].keys()
        assert all(torch.equal(each, states[0][name]) for name, each in state.items())


@pytest.mark.parametrize("name", VARIANTS)
def test_flops_are_what_torch_counts(name, regions_of, patches_of, related_of) -> None:
    model = VisualTokenEncoder(VARIANTS[name], BLOCKS)
    if name in ("grid", "grid_clusters"):
        batch = patches_of(0, 2)
    else:
        make = regions_of if VARIANTS[name].patches is None else related_of
        batch = make(0, [4, 4], [3, 3], intangible=VARIANTS[name].intangible)
    intangible = int((batch.kind[0] == INTANGIBLE).sum())
    # The counter knows no FLOPs of the CPU's fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(batch)
    assert 2 * model.flops(batch.valid.shape[1], intangible) == counter.get_total_flops()
