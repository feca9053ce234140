"""Scores of masks against scikit-learn's and plain loops; known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, fbeta_score, jaccard_score

from semtok.bench.overlap import BETA_SQUARED, THRESHOLDS, f_curve, overlap


def masks(seed: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """A mask and a true one of some pixels, of one at least."""
    random = np.random.default_rng(seed)
    truth = random.random((6, 9)) < 0.4
    truth[2, 3] = True
    return random.random((6, 9)) < share, truth


@given(seed=st.integers(0, 2**20), share=st.sampled_from([0, 0.2, 0.7, 1]))
def test_scores_are_scikit_learns(seed, share) -> None:
    mask, truth = masks(seed, share)
    found = overlap(mask, truth)
    flat = truth.ravel(), mask.ravel()
    beta = BETA_SQUARED**0.5
    assert found.f == pytest.approx(fbeta_score(*flat, beta=beta, zero_division=0), abs=1e-12)
    assert found.iou == pytest.approx(jaccard_score(*flat), abs=1e-12)
    assert found.accuracy == pytest.approx(accuracy_score(*flat), abs=1e-12)


@given(seed=st.integers(0, 2**20), levels=st.sampled_from([1, 2, 255, 1000]))
def test_curves_are_those_of_a_plain_loop(seed, levels) -> None:
    _, truth = masks(seed, 0.5)
    # Values that are thresholds themselves are not above them.
    heat = np.random.default_rng(seed + 1).integers(0, levels + 1, truth.shape) / levels
    wanted = [overlap(heat > each / 255, truth).f for each in range(255)]
    assert f_curve(heat, truth) == pytest.approx(wanted, abs=1e-12)


def test_a_binary_mask_has_one_f_at_every_threshold() -> None:
    """So that what TokenCut prints as max F, of masks as they are, is their mean F."""
    mask, truth = masks(0, 0.5)
    curve = f_curve(mask.astype(float), truth)
    assert len(curve) == len(THRESHOLDS) == 255
    assert curve == pytest.approx(overlap(mask, truth).f)


def test_known_answers() -> None:
    truth = np.zeros((10, 10), bool)
    truth[:5, :4] = True
    assert overlap(truth, truth) == (1, 1, 1)
    assert overlap(~truth, truth) == (0, 0, 0)
    assert overlap(np.zeros_like(truth), truth) == (0, 0, 0.8)
    everything = overlap(np.ones_like(truth), truth)
    assert (everything.iou, everything.accuracy) == (0.2, 0.2)
    assert everything.f == pytest.approx(1.3 * 0.2 / (0.3 * 0.2 + 1))


def test_chance_is_inside_its_interval() -> None:
    """Half of the pixels at random, where half are true: an accuracy of 1 in 2."""
    random = np.random.default_rng(0)
    truth = np.arange(10_000).reshape(100, 100) % 2 == 0
    found = overlap(random.random(truth.shape) < 0.5, truth)
    assert found.accuracy == pytest.approx(0.5, abs=4 * 0.005)
    assert found.iou == pytest.approx(1 / 3, abs=0.03)
