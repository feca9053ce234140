"""Gates against a plain reference in float64 that goes token by token and really removes them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.models.adaptive import AdaptiveEncoder, Sending, run
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.gates import Gates, gated
from semtok.models.kept import Kept, add_noise
from semtok.models.transformer import Block
from semtok.params import EncoderSettings, GateSettings
from semtok.tokens.batch import INTANGIBLE, TokenBatch

BLOCKS = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=12)
GATES = GateSettings(block=2, bias=0.5)
GRID = VisionConfig(48, 4, False, (), False, False, False, gates=GATES)
SEMANTIC = VisionConfig(16, None, True, ("on", "under", "holding"), True, True, True, gates=GATES)

MASKED = replace(
    SEMANTIC, feature_dim=48, patches=4, neighbour_bias=False, registers=2, key_mask=True
)


def encoder(vision: VisionConfig, seed: int = 0) -> AdaptiveEncoder:
    """In double precision, with bias tables as if trained, and gates that tell tokens apart."""
    torch.manual_seed(seed)
    made = AdaptiveEncoder(vision, BLOCKS).double()
    for table in made.bias.parameters():
        torch.nn.init.normal_(table)
    torch.nn.init.normal_(made.gates.weight, std=1.5)
    return made


def reference(model: AdaptiveEncoder, batch: TokenBatch, image: int, budget: float) -> Tensor:
    """The vector of one image, of the tokens that are left alone."""
    gates, settings_ = model.gates, model.gates.settings
    x, first, keys = list(model.embedding(batch)[image]), model.leading, batch.valid[image]
    if batch.foreground is not None:
        keys = keys & batch.foreground[image]
    spared = [*[True] * first, *(batch.kind[image] == INTANGIBLE).tolist(), True]
    places = [*range(first), *(first + n for n in range(len(keys)) if keys[n]), len(x)]
    x.append(budget * gates.budget[0] + (1 - budget) * gates.budget[1])
    tables = [*model.bias(batch, None), None]
    for layer, block in enumerate(model.blocks):
        linear = gates.threshold[layer]
        theta = torch.sigmoid(linear.weight[0] @ x[-1] + linear.bias[0])
        weights = {}
        for place in places:
            logit = gates.weight[layer] @ x[place] / settings_.temperature + settings_.bias
            weights[place] = 1.0 if spared[place] else torch.sigmoid(logit) - theta
        places = [place for place in places if weights[place] > 0]
        x = [weights.get(place, 0) * each for place, each in enumerate(x)]
        normed = {place: weights[place] * block.norm_attention(x[place]) for place in places}
        layer_, side = block.attention, BLOCKS.width // BLOCKS.heads
        after = list(x)
        for place in places:
            heads = []
            for head in range(BLOCKS.heads):
                part = slice(head * side, (head + 1) * side)
                q = layer_.q(normed[place])[part]
                keys = {each: layer_.kv(normed[each])[: BLOCKS.width][part] for each in places}
                scores = []
                for each in places:
                    score = q @ keys[each] / math.sqrt(side)
                    ends = (place, each)
                    if tables[layer] is not None and len(x) - 1 not in ends:
                        score = score + tables[layer][image, head][ends]
                    scores.append(score)
                shares = torch.softmax(torch.stack(scores), dim=0)
                values = [layer_.kv(normed[each])[BLOCKS.width :][part] for each in places]
                heads.append(sum(share * value for share, value in zip(shares, values)))  # noqa: B905
            y = x[place] + weights[place] * layer_.out(torch.cat(heads))
            after[place] = y + block.mlp(weights[place] * block.norm_mlp(y))
        x = after
    vector = model.projection(model.norm(x[0]))
    return vector / vector.norm()


@pytest.mark.parametrize("name", ["grid", "semantic", "masked"])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_the_reference(patches_of, regions_of, related_of, name, training) -> None:
    vision, batch = {
        "grid": (GRID, patches_of(3, 3)),
        "semantic": (SEMANTIC, regions_of(3, [4, 2, 6], [3, 0, 4])),
        "masked": (MASKED, related_of(3, [4, 2, 6], [3, 0, 4])),
    }[name]
    model = encoder(vision).train(training)
    budgets = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    found = run(model, batch, budgets)
    # The example is worth something only where some tokens stay and some go.
    dropped = (found.weights[-1] == 0) & batch.valid
    assert 0 < dropped.sum() < batch.valid.sum()
    for image, budget in enumerate(budgets.tolist()):
        wanted = reference(model, batch, image, budget)
        torch.testing.assert_close(found.embedding[image], wanted, rtol=0, atol=1e-10)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    counts=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=3),
    bias=st.floats(-4, 4),
    budget=st.floats(0, 1),
    snr=st.sampled_from([None, 0.0, 20.0]),
)
def test_removing_is_masking(regions_of, seed, counts, bias, budget, snr) -> None:
    batch = regions_of(seed, *map(list, zip(*counts, strict=True)))
    model = encoder(replace(SEMANTIC, gates=replace(GATES, bias=bias)), seed)
    budgets = torch.full((len(counts),), budget, dtype=torch.float64)
    sending = Sending(2, snr, seed)
    masked = run(model.train(), batch, budgets, sending)
    removed = run(model.eval(), batch, budgets, sending)
    torch.testing.assert_close(removed.embedding, masked.embedding, rtol=0, atol=1e-10)
    assert torch.equal(removed.sent, masked.sent)
    for one, other in zip(removed.weights, masked.weights, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    for earlier, later in zip(masked.weights, masked.weights[1:], strict=False):
        assert not ((later > 0) & (earlier == 0)).any(), "what was dropped came back"
    intangible = batch.kind == INTANGIBLE
    assert all((each[intangible & batch.valid] == 1).all() for each in masked.weights)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_but_cls_may_be_left(patches_of, training) -> None:
    model = encoder(replace(GRID, gates=replace(GATES, bias=-30.0))).train(training)
    batch = patches_of(0, 2)
    found = run(model, batch)
    assert not any(each.any() for each in found.weights)
    assert found.embedding.isfinite().all()
    # Without a token to tell them by, all images are one.
    torch.testing.assert_close(found.embedding[0], found.embedding[1])


def test_an_image_does_not_depend_on_its_batch(patches_of) -> None:
    batch, model = patches_of(5, 4), encoder(GRID).eval()
    budgets = torch.tensor([0.2, 0.4, 0.6, 1.0], dtype=torch.float64)
    together = model(batch, budgets)
    for image in range(4):
        told = {name: each[[image]] for name, each in vars(batch).items() if each is not None}
        one = TokenBatch(**told)
        alone = model(one, budgets[[image]])
        torch.testing.assert_close(alone[0], together[image], rtol=0, atol=1e-12)


def test_weights_of_one_leave_a_block_as_it_is() -> None:
    torch.manual_seed(0)
    block, x = Block(16, 2, 2.0).double(), torch.randn(2, 5, 16, dtype=torch.float64)
    found = gated(block, x, torch.ones(2, 5, dtype=torch.float64), None)
    torch.testing.assert_close(found, block(x), rtol=0, atol=1e-12)


def test_gradients() -> None:
    torch.manual_seed(1)
    gates, block = Gates(1, 4, GATES).double(), Block(4, 2, 1.0).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    budget = torch.tensor([0.3, 0.9], dtype=torch.float64, requires_grad=True)

    def weighed(x: Tensor, budget: Tensor, weight: Tensor, vectors: Tensor) -> Tensor:
        parameters = {"weight": weight, "budget": vectors}
        ends = torch.func.functional_call(gates, parameters, (0, x, budget_vectors(vectors)))
        return gated(block, x, ends, None)

    def budget_vectors(vectors: Tensor) -> Tensor:
        return budget[:, None] * vectors[0] + (1 - budget[:, None]) * vectors[1]

    with torch.no_grad():
        weights = gates(0, x, budget_vectors(gates.budget))
    assert (weights > 0.01).any()
    inputs = (x, budget, *(each.detach().requires_grad_() for each in (gates.weight, gates.budget)))
    assert torch.autograd.gradcheck(weighed, inputs)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**20), lost=st.integers(0, 4))
def test_a_plain_encoder_without_the_tokens_that_were_not_sent(patches_of, seed, lost) -> None:
    """Keys of -inf behind the sending block are the reference; with nothing lost, it is itself."""
    torch.manual_seed(seed)
    model = VisualTokenEncoder(replace(GRID, gates=None), BLOCKS).double().eval()
    batch = patches_of(seed, 2)
    order = torch.rand(2, 4, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    gone = torch.zeros(2, 5, dtype=torch.bool).scatter(1, 1 + order[:, :lost], value=True)

    def drop(tokens: Kept, attention: Tensor) -> Tensor:
        torch.testing.assert_close(attention.sum(dim=1), torch.ones(2, dtype=torch.float64))
        return gone

    found = run(model, batch, sending=Sending(1, drop=drop))
    assert torch.equal(found.sent, ~gone[:, 1:])
    x = model.blocks[0](model.embedding(batch))
    bias = torch.zeros(2, 1, 1, 5, dtype=torch.float64).masked_fill(gone[:, None, None], -math.inf)
    x = model.blocks[1](x, bias)
    wanted = model.summarise(x, bias)
    torch.testing.assert_close(found.embedding, wanted, rtol=0, atol=1e-12)


def test_noise_has_the_power_that_is_asked_for() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(4, 100_000, generator=random) * torch.tensor([0.1, 1, 5, 30])[:, None]
    noise = torch.randn(4, 100_000, generator=random)
    for snr in (-10, 0, 20):
        error = add_noise(x, noise, snr) - x
        ratio = x.square().mean(dim=1) / error.square().mean(dim=1)
        torch.testing.assert_close(
            10 * ratio.log10(), torch.full((4,), float(snr)), atol=0.1, rtol=0
        )


@pytest.mark.parametrize("bias", [30.0, 0.5, -30.0])
def test_flops(patches_of, bias) -> None:
    model = encoder(replace(GRID, gates=replace(GATES, bias=bias))).eval()
    batch = patches_of(3, 1)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        found = run(model, batch)
    left = [int((each > 0).sum()) for each in found.weights]
    # The counter does not count products of a matrix and a vector, as the gates make.
    gates = model.gates.flops([6, *(each + 2 for each in left[:-1])])
    thresholds = 2 * BLOCKS.width * BLOCKS.depth
    assert model.flops(4, left=left) - gates == counter.get_total_flops() - thresholds
