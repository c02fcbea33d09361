"""Intervals of few values: against SciPy, a loop over all means, and how often they hold."""

import numpy as np
import pytest
from scipy.stats import binomtest

from skda._numerics._mean_intervals import (
    auc_interval,
    betting_interval,
    clopper_pearson,
    prediction_powered_mean,
)


@pytest.mark.parametrize(("right", "n"), [(0, 5), (3, 10), (10, 10), (40, 50)])
def test_clopper_pearson_is_scipys(right, n):
    wanted = binomtest(right, n).proportion_ci(confidence_level=0.8, method="exact")
    assert clopper_pearson(right, n, confidence=0.8) == pytest.approx(tuple(wanted))


def test_no_rows_leave_every_proportion_possible():
    assert clopper_pearson(0, 0, confidence=0.9) == (0.0, 1.0)
    assert betting_interval([], confidence=0.9, low=-1, high=3) == (-1.0, 3.0)


def refuted(x, m, alpha):
    """Play the game of one mean step by step."""
    up = down = 0.5
    seen, squares = [0.5], [0.25]
    for value in x:
        step = np.sqrt(2 * np.log(2 / alpha) / (len(x) * np.mean(squares)))
        up *= 1 + min(step, 0.5 / m if m > 0 else np.inf) * (value - m)
        down *= 1 - min(step, 0.5 / (1 - m) if m < 1 else np.inf) * (value - m)
        if up + down >= 1 / alpha:
            return True
        seen.append(value)
        squares.append((value - np.mean(seen)) ** 2)
    return False


def test_betting_limits_hold_the_means_that_a_loop_does_not_refute():
    x = np.random.default_rng(0).beta(2, 5, size=30)
    low, high = betting_interval(x, confidence=0.9)
    means = np.linspace(0, 1, 201)
    kept = [m for m in means if not refuted(x, m, 0.1)]
    assert low == pytest.approx(min(kept), abs=0.006)
    assert high == pytest.approx(max(kept), abs=0.006)


def test_betting_limits_follow_the_range():
    x = np.random.default_rng(0).uniform(size=20)
    low, high = betting_interval(x, confidence=0.9)
    assert betting_interval(4 * x - 1, confidence=0.9, low=-1, high=3) == pytest.approx(
        (4 * low - 1, 4 * high - 1)
    )


def test_betting_limits_that_contradict_each_other_end_at_the_mean():
    x = np.r_[np.zeros(200), np.ones(200)]
    low, high = betting_interval(x, confidence=0.9)
    assert low == high == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 40])
def test_betting_limits_hold_as_often_as_promised(n):
    rng = np.random.default_rng(0)
    for draw, mean in (
        (lambda: rng.beta(0.3, 1.2, size=n), 0.2),
        (lambda: (rng.uniform(size=n) < 0.15).astype(float), 0.15),
    ):
        held = 0
        for _ in range(600):
            low, high = betting_interval(draw(), confidence=0.9)
            held += low <= mean <= high
        # Two standard errors of 600 draws at 0.9.
        assert held / 600 > 0.9 - 2 * 0.0123


def test_limits_of_an_area_hold_as_often_as_promised():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        positive, negative = rng.normal(1.5, size=8), rng.normal(size=12)
        area = np.mean(positive[:, None] > negative)
        low, high = auc_interval(area, 8, 12, confidence=0.9)
        held += low <= 0.8556 <= high
    assert held / 400 > 0.9 - 2 * 0.015
    assert auc_interval(1.0, 5, 5, confidence=0.9)[1] == 1.0
    assert auc_interval(0.0, 5, 5, confidence=0.9)[0] == 0.0


def test_prediction_powered_mean_is_its_closed_form():
    rng = np.random.default_rng(0)
    everywhere = rng.uniform(size=50)
    values, predicted = everywhere[:8] + 0.3, everywhere[:8]
    # Predictions that are off by the same amount everywhere are corrected exactly.
    found = prediction_powered_mean(values, predicted, everywhere)
    assert found == pytest.approx(everywhere.mean() + 0.3)
    assert prediction_powered_mean(values, predicted, everywhere, factor=0.0) == values.mean()
