"""QuantileTransportTransformer: sorted matching, POT's one-dimensional plan, interpolation."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skda import QuantileTransportTransformer
from skda._array._backend import to_numpy
from skda._numerics._transport import barycentric_map, cost_matrix, exact_plan
from skda.feature_based._quantile_transport import interpolate, quantile_images


def test_equal_numbers_of_values_are_matched_in_order(xp):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(80, 3)), np.repeat([1, -2], 40)
    X[40:] = np.exp(X[40:])
    moved = to_numpy(QuantileTransportTransformer().fit_transform(xp.asarray(X), sample_domain=d))
    np.testing.assert_allclose(np.sort(moved[:40], 0), np.sort(X[40:], 0), rtol=1e-6)
    np.testing.assert_array_equal(np.argsort(moved[:40], 0), np.argsort(X[:40], 0))


@pytest.mark.parametrize("n, m", [(30, 30), (30, 17), (7, 50), (1, 9), (9, 1), (10, 10_000)])
def test_images_are_the_barycentric_map_of_the_exact_plan(n, m):
    rng = np.random.default_rng(0)
    x, t = np.sort(rng.normal(size=n)), np.sort(rng.normal(size=m) * 3 + 1)
    M = cost_matrix(x[:, None], t[:, None])
    expected = barycentric_map(exact_plan(M).coupling, t[:, None], x[:, None])
    np.testing.assert_allclose(quantile_images(x, t), expected[:, 0], atol=1e-9)


def test_equal_values_share_the_mean_image():
    images = quantile_images(np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 2.0, 4.0, 8.0]))
    np.testing.assert_allclose(images, [1.0, 3.0, 3.0, 8.0])


def test_values_between_and_beyond_the_fitted_ones(xp):
    knots = xp.asarray(np.array([0.0, 1.0, 1.0, 2.0]))
    values = xp.asarray(np.array([10.0, 20.0, 20.0, 40.0]))
    x = xp.asarray(np.array([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0]))
    got = to_numpy(interpolate(x, knots, values))
    np.testing.assert_allclose(got, [9.0, 10.0, 15.0, 20.0, 30.0, 40.0, 41.0])


def test_the_map_is_monotone_and_keeps_the_order_of_new_rows():
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(70, 1)), np.repeat([1, -2], [30, 40])
    fitted = QuantileTransportTransformer().fit(X, sample_domain=d)
    new = np.linspace(-5, 5, 500)[:, None]
    moved = fitted.transform(new, sample_domain=np.ones(500))
    assert np.diff(moved[:, 0]).min() >= -1e-12


@pytest.mark.parametrize("scale, offset", [(1e12, 0.0), (1e-12, 0.0), (1.0, 1e9)])
def test_scale_and_offset_do_not_cost_digits(scale, offset):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(50, 2)), np.repeat([1, -2], [20, 30])
    one = QuantileTransportTransformer()
    expected = one.fit_transform(X, sample_domain=d) * scale + offset
    got = one.fit_transform(X * scale + offset, sample_domain=d)
    np.testing.assert_allclose(got - offset, expected - offset, rtol=1e-6, atol=1e-6 * scale)


def test_a_constant_feature_goes_to_the_mean_of_the_target():
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(50, 2)), np.repeat([1, -2], [20, 30])
    X[:20, 0] = 3.0
    moved = QuantileTransportTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(moved[:20, 0], X[20:, 0].mean())


def test_strength_out_of_range_is_named():
    with pytest.raises(ValueError, match="strength must be a number in"):
        QuantileTransportTransformer(strength=-1).fit(np.eye(4), sample_domain=[1, 1, -2, -2])


def gain(transformer):
    gains = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        y, d = rng.permutation(np.repeat([0, 1], 150)), np.repeat([1, -2], 150)
        X = rng.normal(size=(300, 3)) + 1.5 * y[:, None]
        X[150:] = np.sinh(X[150:]) + np.array([4.0, 4.0, 0.0])  # every sensor recalibrated
        moved = transformer.fit_transform(X, sample_domain=d)
        scores = [
            LogisticRegression().fit(Z[:150], y[:150]).score(X[150:], y[150:]) for Z in (X, moved)
        ]
        gains.append(scores[1] - scores[0])
    return np.mean(gains)


def test_recalibrated_features_are_followed():
    assert gain(QuantileTransportTransformer()) > 0.1


def test_sabotage_without_the_map_nothing_is_gained(monkeypatch):
    monkeypatch.setattr(QuantileTransportTransformer, "_map", lambda self, X, domain, backend: X)
    assert gain(QuantileTransportTransformer()) == 0.0
