"""Weighted quantiles with a point at infinity, against their definition."""

import numpy as np
import pytest

from skda._numerics._weighted_quantile import (
    is_conforming,
    is_unbounded,
    tail_weights,
    upper_quantile,
)


def by_definition(values, weights, own, alpha):
    """Tibshirani et al. (2019), Eq. 7: the quantile of Σ p_i δ(v_i) + p δ(∞)."""
    total = weights.sum() + own
    for value in np.sort(values):
        if weights[values <= value].sum() / total >= 1 - alpha - 1e-9:
            return value
    return np.inf


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_quantile_is_that_of_the_definition(alpha):
    rng = np.random.default_rng(0)
    for n in (1, 5, 40):
        values = rng.integers(10, size=n).astype(float)  # with ties
        weights = rng.exponential(size=n)
        own = rng.exponential(size=30) * n / 10
        wanted = [by_definition(values, weights, one, alpha) for one in own]
        np.testing.assert_array_equal(upper_quantile(values, weights, own, alpha), wanted)
        rows = np.tile(values, (30, 1))
        np.testing.assert_array_equal(upper_quantile(rows, weights, own, alpha), wanted)


def test_each_row_may_have_values_of_its_own():
    rng = np.random.default_rng(1)
    values, weights, own = rng.normal(size=(700, 9)), rng.random(9), rng.random(700)
    wanted = [by_definition(*pair, 0.3) for pair in zip(values, [weights] * 700, own, strict=True)]
    np.testing.assert_array_equal(upper_quantile(values, weights, own, 0.3), wanted)


def test_without_weights_it_is_the_usual_order_statistic():
    values = np.arange(1.0, 100.0)  # 99 values: the 90th of 100
    assert upper_quantile(values, np.ones(99), np.ones(1), 0.1) == [90.0]
    assert upper_quantile(values[:9], np.ones(9), np.ones(1), 0.1) == [9.0]
    assert upper_quantile(values[:8], np.ones(8), np.ones(1), 0.1) == [np.inf]


def test_p_values_and_quantiles_agree():
    rng = np.random.default_rng(2)
    scores, weights = rng.integers(20, size=60).astype(float), rng.exponential(size=60)
    new, own = rng.integers(-1, 22, size=(50, 3)).astype(float), rng.exponential(size=(50, 1)) * 5
    tails = tail_weights(scores, weights, new)
    wanted = [[weights[scores >= one].sum() for one in row] for row in new]
    np.testing.assert_allclose(tails, wanted, atol=1e-12)
    inside = is_conforming(tails, own, weights.sum(), 0.1)
    limits = upper_quantile(scores, weights, own[:, 0], 0.1)
    np.testing.assert_array_equal(inside, new <= limits[:, None])
    unbounded = is_unbounded(own[:, 0], weights.sum(), 0.1)
    np.testing.assert_array_equal(unbounded, np.isinf(limits))
    assert 0 < unbounded.sum() < 50
