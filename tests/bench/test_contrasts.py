"""Contrasts by hand, and the 2 x 2 against a table whose effects are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench import contrasts
from semtok.bench.cases import by_task
from semtok.bench.contrasts import Contrast
from semtok.bench.intervals import Resampled, resample


def of(values):
    """Resampled values that vary by noise that all share."""
    noise = np.random.default_rng(0).normal(0, 0.5, 200)
    return {name: Resampled(value, value + noise) for name, value in values.items()}


def test_a_difference_is_that_of_the_leaderboard():
    random = np.random.default_rng(0)
    found = {name: Resampled(9.0 + n, random.normal(9 + n, 1, 500)) for n, name in enumerate("ab")}
    (effect,) = contrasts.effects([contrasts.difference("b", "a")], found, "R@1", 0.9)
    assert effect.points == found["b"].difference(found["a"], 0.9)
    assert effect.relative == found["b"].relative(found["a"], 0.9)
    assert effect.p == effect.p_adjusted == found["b"].p_value(found["a"])


def test_the_two_by_two_gives_back_its_effects():
    """10, rows + 4, columns - 3, and 5 more for both: mean effects 6.5 and - 0.5."""
    found = of({"none": 10.0, "row": 14.0, "column": 7.0, "both": 16.0})
    names = ("none", "row", "column", "both")
    effects = contrasts.effects(contrasts.two_by_two(names, "r", "c"), found, "R@1", 0.95)
    assert [each.points.estimate for each in effects] == [6.5, -0.5, 5.0]
    assert [each.verdict for each in effects] == ["better", "worse", "better"]
    assert all(each.relative is None for each in effects)


@given(st.lists(st.floats(0, 10), min_size=2, max_size=6, unique=True), st.floats(-2, 12))
def test_between_two_rungs_it_is_numpys_interpolation(places, at):
    ladder = {f"rung{number}": place for number, place in enumerate(places)}
    values = {name: float(number**2) for number, name in enumerate(ladder)}
    contrast = contrasts.between("target", at, ladder, "the ladder")
    if not min(places) <= at <= max(places):
        assert contrast is None
        return
    assert contrast is not None
    assert sum(contrast.weights.values()) == pytest.approx(0, abs=1e-9)
    rungs = sorted(ladder, key=lambda name: ladder[name])
    expected = np.interp(at, [ladder[name] for name in rungs], [values[name] for name in rungs])
    value = -sum(w * values[name] for name, w in contrast.weights.items() if name != "target")
    assert value == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_p_values_are_adjusted_within_the_question():
    random = np.random.default_rng(2)
    found = {name: Resampled(0.0, random.normal(shift, 1, 999)) for name, shift in
             (("a", 0.0), ("b", 2.6), ("c", 0.3))}  # fmt: skip
    family = [contrasts.difference(name, "a") for name in "bc"]
    together = contrasts.effects(family, found, "R@1", 0.95)
    assert together[0].p_adjusted == 2 * together[0].p
    assert together[1].p_adjusted == together[1].p


def test_trainings_put_to_two_tests_have_their_seeds_drawn_together(make_cases):
    """Seeds differ by much, the two tests by nothing: so does every replicate."""
    cases = {seed: [1] * (10 * seed) + [50] * (50 - 10 * seed) for seed in range(5)}
    (ranks,) = by_task(make_cases(cases)).values()
    (here,), (there,) = resample([ranks], 200), resample([ranks], 200)
    other = resample([ranks, ranks], 200)[1]
    same = Contrast("one minus the other", {"one": 1.0, "other": -1.0})
    for found, expected in ((there, True), (other, False)):
        values = {"one": here["R@1"], "other": found["R@1"]}
        (effect,) = contrasts.effects([same], values, "R@1", 0.95)
        assert (effect.points.low == effect.points.high == 0) == expected


def test_a_drop_between_other_images_is_as_wide_as_the_images_alone(make_cases):
    """Seeds find 20 to 60 % of both tests: the luck of the seeds is shared, that of images not."""
    cases = {seed: ([1] * (2 + seed) + [50] * (8 - seed)) * 200 for seed in range(5)}
    (ranks,) = by_task(make_cases(cases)).values()
    here, there = (resample([ranks], 2000, test=test)[0]["R@1"] for test in (0, 1))
    drop = here.difference(there, 0.95)
    # Of two means of 2,000 draws, the variance of each at most 0.25 / 2,000.
    assert -3.2 < drop.low < -1.5 and 1.5 < drop.high < 3.2
