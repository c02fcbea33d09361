"""Convex weights are the optimum that a general solver finds."""

import numpy as np
import pytest
from scipy.optimize import minimize

from skda._numerics._simplex import convex_weights


def by_general_solver(R):
    """The same problem by sequential quadratic programming."""
    m = R.shape[1]
    G = R.T @ R / np.sum(R**2)
    found = minimize(
        lambda w: w @ G @ w,
        np.full(m, 1 / m),
        jac=lambda w: 2 * G @ w,
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(m)},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    return found.x


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_weights_are_those_of_a_general_solver(seed, scale):
    rng = np.random.default_rng(seed)
    m = 2 + seed % 4
    # Errors that are correlated, of different size and with a common part.
    R = rng.normal(size=(40, m)) @ rng.normal(size=(m, m)) + rng.normal(size=(40, 1))
    found = convex_weights(scale * R)
    np.testing.assert_allclose(found, by_general_solver(R), atol=1e-4)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)


def test_the_conditions_of_the_optimum_hold():
    R = np.random.default_rng(1).normal(size=(30, 5)) * [1, 2, 3, 4, 5]
    w = convex_weights(R)
    gradient = R.T @ (R @ w)
    best = gradient[w > 0]
    assert np.ptp(best) < 1e-3 * best.mean()
    assert (gradient[w == 0] >= best.mean() * (1 - 1e-3)).all()


def test_equal_models_share_their_weight_and_a_perfect_one_takes_all():
    r = np.random.default_rng(0).normal(size=(20, 1))
    np.testing.assert_allclose(convex_weights(np.hstack([r, r])), 0.5)
    np.testing.assert_allclose(convex_weights(np.zeros((20, 3))), 1 / 3)
    np.testing.assert_allclose(convex_weights(np.hstack([r, 0 * r])), [0, 1], atol=1e-5)
    # Uncorrelated errors: weights go as one over the variances.
    R = np.array([[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(convex_weights(R), [0.8, 0.2], atol=1e-4)
