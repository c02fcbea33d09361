"""DomainScaler: scikit-learn's scalers, domain by domain."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import RobustScaler, StandardScaler

from skda import DomainScaler, PerDomain
from skda._array._backend import to_numpy
from skda.feature_based._domain_scaler import FeatureMoments, robust_location_and_spread


@pytest.fixture
def three_domains():
    rng = np.random.default_rng(0)
    d = rng.permutation(np.repeat([1, 3, -2], [50, 40, 61]))
    return rng.normal(size=(151, 3)) * (1 + np.abs(d))[:, None] + d[:, None], d


def test_each_domain_is_scaled_as_by_standard_scaler(xp, three_domains):
    X, d = three_domains
    got = to_numpy(DomainScaler().fit_transform(xp.asarray(X), sample_domain=d))
    expected = PerDomain(StandardScaler()).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(got, expected, rtol=xp.rtol, atol=1e-5)


def test_robust_is_robust_scaler_on_the_normal_scale(xp, three_domains):
    X, d = three_domains
    got = to_numpy(DomainScaler(robust=True).fit_transform(xp.asarray(X), sample_domain=d))
    for domain in (1, 3, -2):
        rows = d == domain
        expected = RobustScaler(unit_variance=True).fit_transform(X[rows])
        np.testing.assert_allclose(got[rows], expected, rtol=1e-3, atol=1e-5)


def test_outliers_do_not_move_the_robust_statistics():
    X = np.random.default_rng(0).normal(size=(101, 1))
    location, spread = robust_location_and_spread(X)
    X[:10] += 1e6
    moved = robust_location_and_spread(X)
    assert abs(float(moved[0][0] - location[0])) < 0.3
    assert float(moved[1][0]) < 2 * float(spread[0])


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e12])
def test_a_constant_feature_goes_to_zero_and_stays_finite(value, three_domains):
    X, d = three_domains
    X[:, 1] = value
    scaled = DomainScaler().fit_transform(X, sample_domain=d)
    assert np.abs(scaled[:, 1]).max() <= 1e-3
    assert np.isfinite(scaled).all()


def test_only_what_is_asked_for_is_scaled(three_domains):
    X, d = three_domains
    moved = DomainScaler(with_std=False).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(moved[d == 3].std(0), X[d == 3].std(0))
    np.testing.assert_allclose(moved[d == 3].mean(0), 0.0, atol=1e-12)
    shrunk = DomainScaler(with_mean=False).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(shrunk[d == 3], X[d == 3] / X[d == 3].std(0))


def test_rows_of_an_unknown_domain_are_refused(three_domains):
    X, d = three_domains
    scaler = DomainScaler().fit(X, sample_domain=d)
    with pytest.raises(ValueError, match=r"not fitted on: \[7\]"):
        scaler.transform(X, sample_domain=np.full(len(X), 7))


def gain(scaler):
    """Mean gain in target accuracy over source-only when offset and gain of features differ."""
    gains = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y, d = rng.integers(0, 2, 300), np.repeat([1, -2], 150)
        X = rng.normal(size=(300, 2)) + 2.0 * y[:, None]
        X[150:] = X[150:] * [5.0, 0.2] + [10.0, -3.0]
        scaled = scaler.fit_transform(X, sample_domain=d)
        scores = [
            LogisticRegression().fit(Z[:150], y[:150]).score(Z[150:], y[150:]) for Z in (X, scaled)
        ]
        gains.append(scores[1] - scores[0])
    return np.mean(gains)


def test_other_units_in_the_target_are_undone():
    assert gain(DomainScaler()) > 0.3


def test_sabotage_scaling_all_rows_alike_gains_little(monkeypatch):
    def as_if_one_domain(X):
        zeros, ones = np.zeros(X.shape[1]), np.ones(X.shape[1])
        return FeatureMoments(float(len(X)), zeros, ones, ones)

    module = "skda.feature_based._domain_scaler.feature_moments"
    monkeypatch.setattr(module, as_if_one_domain)
    assert gain(DomainScaler()) < 0.05
