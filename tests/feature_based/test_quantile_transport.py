"""QuantileTransportTransformer: sorted matching, POT's one-dimensional plan, interpolation."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
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


# Batches, and fewer quantiles than rows.


def skewed(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X, d = rng.normal(size=(2 * n, 2)), np.repeat([1, -2], n)
    X[n:] = np.exp(X[n:])
    return X, d


@pytest.mark.parametrize("direction", ["to_target", "to_source"])
@pytest.mark.parametrize("seed", range(3))
def test_batches_of_either_side_are_one_fit(direction, seed):
    X, d = skewed()
    rng = np.random.default_rng(seed)
    once = QuantileTransportTransformer(direction=direction).fit(X, sample_domain=d)
    parts = [p for side in (d > 0, d < 0) for p in np.array_split(np.flatnonzero(side), 5)]
    batches = QuantileTransportTransformer(direction=direction)
    for number in rng.permutation(len(parts)):  # of one side each
        batches.partial_fit(X[parts[number]], sample_domain=d[parts[number]])
    expected = once.transform(X, sample_domain=d)
    np.testing.assert_allclose(batches.transform(X, sample_domain=d), expected, atol=1e-10)


def test_it_waits_for_the_other_side():
    X, d = skewed(20)
    method = QuantileTransportTransformer().partial_fit(X[d > 0], sample_domain=d[d > 0])
    with pytest.raises(NotFittedError, match="one side only"):
        method.transform(X[d > 0], sample_domain=d[d > 0])
    assert method.waits_for_ == "target"
    method.partial_fit(X[d < 0], sample_domain=d[d < 0]).transform(X, sample_domain=d)


def test_fewer_quantiles_than_rows_are_off_by_half_a_part():
    X, d = skewed(4000)
    X_new = np.random.default_rng(1).normal(size=(500, 2))
    exact = QuantileTransportTransformer().fit(X, sample_domain=d)
    coarse = QuantileTransportTransformer(n_quantiles=100).fit(X, sample_domain=d)
    assert coarse.knots_[1].shape == coarse.images_[1].shape == (100, 2)

    def rank(method):
        moved = method.transform(X_new, sample_domain=np.ones(500))
        return np.stack(
            [np.searchsorted(np.sort(X[d < 0, j]), moved[:, j]) for j in range(2)], axis=1
        )

    # Half a part for either side, and another for the line between two quantiles.
    assert np.abs(rank(coarse) - rank(exact)).max() <= 4000 * 2 / 100
    streamed = QuantileTransportTransformer(n_quantiles=100)
    for rows in np.array_split(np.random.default_rng(2).permutation(len(X)), 50):
        streamed.partial_fit(X[rows], sample_domain=d[rows])
    bound = 1 + (2 + np.log2(40))  # halves of a part: the class states it for each side
    assert np.abs(rank(streamed) - rank(exact)).max() <= 4000 * bound / 100


def test_forgetting_follows_the_weighted_quantiles():
    X, d = skewed(300)
    method = QuantileTransportTransformer(forgetting_factor=0.5).fit(X, sample_domain=d)
    for shift in (1.0, 2.0):
        method.partial_fit(X[d < 0] + shift, sample_domain=d[d < 0])
    values = np.concatenate([X[d < 0] + shift for shift in (0.0, 1.0, 2.0)])
    weights = np.repeat([0.25, 0.5, 1.0], 300)
    for j in range(2):
        order = np.argsort(values[:, j])
        cumulated = np.cumsum(weights[order]) / weights.sum()
        for part in (0.1, 0.5, 0.9):
            found = np.quantile(method.reference_values_[:, j], part)
            at = np.interp(found, values[order, j], cumulated)
            assert abs(at - part) < 3 / 300
    assert method.reference_sketch_.count == pytest.approx(300 * 1.75)


def test_bad_number_of_quantiles():
    X, d = skewed(5)
    with pytest.raises(ValueError, match="n_quantiles must be"):
        QuantileTransportTransformer(n_quantiles=1).fit(X, sample_domain=d)
