import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from semtok.train.loss import info_nce


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), images=st.integers(1, 9), scale=st.floats(0.1, 100))
def test_is_the_mean_of_both_cross_entropies(seed, images, scale) -> None:
    random = np.random.default_rng(seed)
    one, other = random.normal(size=(2, images, 5))
    logits = scale * one @ other.T
    expected = -(np.diag(log_softmax(logits, 1)) + np.diag(log_softmax(logits, 0))).mean() / 2
    found = info_nce(
        torch.from_numpy(one), torch.from_numpy(other), torch.tensor(scale, dtype=torch.float64)
    )
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_without_information_it_is_the_logarithm_of_the_batch() -> None:
    same = torch.ones(16, 3)
    assert info_nce(same, same, torch.tensor(10.0)).item() == pytest.approx(math.log(16))


def test_gradients() -> None:
    one, other = torch.randn(2, 4, 3, dtype=torch.float64).requires_grad_().unbind()
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(info_nce, (one, other, scale))
