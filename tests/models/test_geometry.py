"""Tokens that know their place by a histogram: padding, order, FLOPs and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.geometry import centres, geometry_embedding
from semtok.params import EncoderSettings
from semtok.tokens.batch import SUPERPIXEL, TokenBatch

BLOCKS = EncoderSettings(width=16, depth=2, heads=2, mlp_ratio=4.0, embedding=12)
CUT = VisionConfig(12, None, True, (), False, False, False, geometry_dim=9)


def encoder() -> VisualTokenEncoder:
    torch.manual_seed(0)
    return VisualTokenEncoder(CUT, BLOCKS).double()


def tokens(seed: int, counts: list[int]) -> TokenBatch:
    """Superpixels with histograms of nine bins."""
    random = torch.Generator().manual_seed(seed)
    valid = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    shape = valid.shape
    return TokenBatch(
        features=torch.randint(0, 256, (*shape, 12), generator=random).to(torch.uint8)
        * valid[..., None],
        geometry=torch.rand((*shape, 9), generator=random) * valid[..., None],
        kind=valid * SUPERPIXEL,
        valid=valid,
        edges=torch.empty((len(counts), 0, 4), dtype=torch.int64),
        neighbours=torch.empty((*shape, 0), dtype=torch.int64),
    )


def rows(batch: TokenBatch, image: int, order: torch.Tensor) -> TokenBatch:
    """Some tokens of one image, in some order."""
    return TokenBatch(
        *(getattr(batch, name)[[image]][:, order] for name in ("features", "geometry", "kind")),
        valid=batch.valid[[image]][:, order],
        edges=batch.edges[[image]],
        neighbours=batch.neighbours[[image]][:, order],
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_neither_padding_nor_order_nor_others_matter(seed, counts) -> None:
    model, batch = encoder(), tokens(seed, counts)
    wanted = model(batch)
    for image, count in enumerate(counts):
        found = model(rows(batch, image, torch.randperm(count)))
        torch.testing.assert_close(found, wanted[[image]], rtol=1e-9, atol=1e-11)


def test_the_place_matters_and_learns() -> None:
    model, batch = encoder(), tokens(0, [4, 3])
    moved = tokens(0, [4, 3])
    moved.geometry[0, 0] += 1
    assert not torch.allclose(model(moved)[0], model(batch)[0])
    model(batch).pow(3).sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in model.parameters())


def test_a_bin_has_a_vector_and_a_token_their_mixture() -> None:
    bins = geometry_embedding(256, 8)
    one, other = torch.eye(256)[[3, 200]]
    with torch.no_grad():
        torch.testing.assert_close(bins((one + 3 * other) / 4), (bins(one) + 3 * bins(other)) / 4)
        assert not bins(torch.zeros(256)).any()


def test_flops_are_what_torch_counts() -> None:
    model, batch = encoder(), tokens(0, [4, 4])
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(batch)
    assert 2 * model.flops(4) == counter.get_total_flops()


@pytest.mark.parametrize("numbers", [5, 9])
def test_an_embedding_of_geometry_is_as_wide_as_a_token(numbers) -> None:
    assert geometry_embedding(numbers, 16)(torch.rand(2, 3, numbers)).shape == (2, 3, 16)


def test_the_middle_of_a_token_is_that_of_its_bins() -> None:
    bins = torch.zeros(1, 5, 4, 4)  # rows first
    bins[0, 0, 0, 0] = bins[0, 1, 3, 1] = 0.5
    bins[0, 2, 1:3, 1:3] = 2.0
    bins[0, 3, 0, 3], bins[0, 3, 0, 1] = 3.0, 1.0
    wanted = [[0.125, 0.125], [0.375, 0.875], [0.5, 0.5], [0.75, 0.125], [0.0, 0.0]]
    torch.testing.assert_close(centres(bins.flatten(2))[0], torch.tensor(wanted))
    box = torch.tensor([[[0.3, 0.6, 0.1, 0.2, 0.02]]])
    torch.testing.assert_close(centres(box), box[..., :2])
