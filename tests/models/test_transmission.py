"""The channel, what names the patches that are sent, and a link that learns."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.models.channel import capacity, index_bits, link_bits, unit_power, with_noise
from semtok.models.transmission import Link, LinkConfig, attention_weighted_error, choose

SHAPE = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 5))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), SHAPE, st.floats(1e-3, 1e3))
def test_power_is_one_whatever_is_sent(seed, shape, loud) -> None:
    random = torch.Generator().manual_seed(seed)
    symbols = loud * torch.randn(shape, generator=random, dtype=torch.float64)
    sent = torch.rand(shape[:2], generator=random) < 0.5
    found = unit_power(symbols, sent)
    for image in range(shape[0]):
        own = found[image][sent[image]]
        assert not found[image][~sent[image]].any()
        if len(own):
            assert own.square().mean().item() == pytest.approx(1, rel=1e-9)


def test_noise_has_the_power_of_its_ratio() -> None:
    noise = torch.randn(3, 100, 1000, generator=torch.Generator().manual_seed(0))
    snr = torch.tensor([-10.0, 0.0, 20.0])
    error = with_noise(torch.ones_like(noise), noise, snr) - 1
    measured = -10 * error.square().mean(dim=(1, 2)).log10()
    torch.testing.assert_close(measured, snr, atol=0.1, rtol=0)


def test_bits() -> None:
    for patches, sent in itertools.product(range(1, 8), range(8)):
        if sent <= patches:
            subsets = sum(1 for _ in itertools.combinations(range(patches), sent))
            assert index_bits(patches, sent) == math.ceil(math.log2(subsets))
    assert index_bits(64, 16) == 49  # C(64, 16) is about 4.9e14
    assert capacity(0) == pytest.approx(0.5)
    # The mutual information of a Gaussian symbol and what arrives of it: -log2(1 - rho^2) / 2.
    random = np.random.default_rng(0).standard_normal((2, 1_000_000))
    arrived = random[0] + random[1] * 10 ** (-7 / 20)
    rho = np.corrcoef(random[0], arrived)[0, 1]
    assert capacity(7) == pytest.approx(-np.log2(1 - rho**2) / 2, rel=5e-3)
    assert link_bits(64, 16, 8, 0.0) == pytest.approx(16 * 8 * 0.5 + 49)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999), st.integers(1, 20), st.data())
def test_what_is_chosen(seed, patches, data) -> None:
    count = data.draw(st.integers(1, patches))
    random = torch.Generator().manual_seed(seed)
    attention = torch.rand(3, patches, generator=random).round(decimals=1)
    noise = torch.rand(3, patches, generator=random)
    by_attention = choose("attention", count, attention, noise)
    for row, merits in zip(by_attention, attention, strict=True):
        order = sorted(range(patches), key=lambda place: (-merits[place].item(), place))
        assert set(row.nonzero().flatten().tolist()) == set(order[:count])
    assert (choose("random", count, attention, noise).sum(dim=1) == count).all()
    uniform = choose("uniform", count, attention, noise)
    assert (uniform.sum(dim=1) == count).all()
    gaps = uniform[0].nonzero().flatten().diff()
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_the_loss_is_the_error_where_attention_lies() -> None:
    patches = torch.randint(0, 256, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    drawn = patches.double() + torch.tensor([0.0, 10.0, 20.0], dtype=torch.float64)[:, None]
    attention = torch.tensor([[1.0, 0, 0], [0, 3, 1]], dtype=torch.float64)
    found = attention_weighted_error(drawn, patches.to(torch.uint8), attention)
    wanted = (0 + (3 * 10**2 + 20**2) / 4) / 2 / 127.5**2
    assert found.item() == pytest.approx(wanted, rel=1e-12)


def test_what_is_not_sent_says_nothing() -> None:
    torch.manual_seed(0)
    link = Link(LinkConfig(patches=4, feature_dim=12, symbols=3, width=8, depth=1)).eval()
    patches = torch.randint(0, 256, (2, 4, 12), dtype=torch.uint8)
    sent = torch.tensor([[True, False, True, False], [False] * 4])
    noise, snr = torch.randn(2, 4, 3), torch.tensor([10.0, 10.0])
    with torch.inference_mode():
        found = link(patches, sent, noise, snr)
        changed = torch.where(sent[..., None], patches, 255 - patches)
        other = link(changed, sent, torch.where(sent[..., None], noise, -noise), snr)
    assert torch.equal(found, other)
    assert found.isfinite().all()


def test_gradients_of_the_link() -> None:
    torch.manual_seed(0)
    link = Link(LinkConfig(patches=2, feature_dim=3, symbols=2, width=4, depth=1)).double()
    patches = torch.randint(0, 256, (2, 2, 3), dtype=torch.uint8)
    sent = torch.tensor([[True, False], [True, True]])
    noise = torch.randn(2, 2, 2, dtype=torch.float64)
    snr = torch.tensor([0.0, 10.0], dtype=torch.float64)
    names = ("sender.2.weight", "missing", "position")
    given_ = tuple(link.get_parameter(name).detach().requires_grad_() for name in names)

    def drawn(*parameters: torch.Tensor) -> torch.Tensor:
        changed = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(link, changed, (patches, sent, noise, snr)) / 127.5

    assert torch.autograd.gradcheck(drawn, given_)
