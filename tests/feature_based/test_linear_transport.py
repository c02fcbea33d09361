"""LinearTransportTransformer: moments, POT's map, the shift that it is for."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skda import LinearTransportTransformer
from skda._array._backend import to_numpy
from skda.feature_based._linear_transport import SpanMap, gaussian_transport_map


def two_domains(n=80, m=60, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + m, d)) @ rng.normal(size=(d, d)) + 1.0
    X[n:] = X[n:] @ rng.normal(size=(d, d)) - 2.0
    return X, np.repeat([1, -2], [n, m])


def spd(d, seed):
    A = np.random.default_rng(seed).normal(size=(d, 2 * d))
    return A @ A.T / d


@pytest.mark.parametrize("seed", range(3))
def test_map_takes_one_covariance_to_the_other_and_is_symmetric_positive(xp, seed):
    C_s, C_t = spd(5, seed), spd(5, seed + 10)
    A = to_numpy(gaussian_transport_map(xp.asarray(C_s), xp.asarray(C_t)))
    np.testing.assert_allclose(A @ C_s @ A, C_t, rtol=xp.rtol, atol=xp.rtol * np.abs(C_t).max())
    np.testing.assert_allclose(A, A.T)
    assert np.linalg.eigvalsh(A).min() > 0


def test_map_is_that_of_pot():
    ot = pytest.importorskip("ot")
    X, d = two_domains(n=60)  # POT divides by n, not n - 1: the same where sizes are equal
    A, b = ot.gaussian.empirical_bures_wasserstein_mapping(X[d > 0], X[d < 0], reg=1e-12)
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(moved[d > 0], X[d > 0] @ A + b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_source_gets_the_moments_of_the_target_at_any_scale(scale):
    X, d = two_domains()
    X = X * scale
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    source, target = moved[d > 0], X[d < 0]
    np.testing.assert_allclose(source.mean(0), target.mean(0), rtol=1e-9)
    np.testing.assert_allclose(np.cov(source.T), np.cov(target.T), rtol=1e-8)
    np.testing.assert_array_equal(moved[d < 0], target)


def test_without_match_mean_the_source_keeps_its_mean_and_gets_the_covariance():
    X, d = two_domains()
    model = LinearTransportTransformer(match_mean=False)
    source, target = model.fit_transform(X, sample_domain=d)[d > 0], X[d < 0]
    np.testing.assert_allclose(source.mean(0), X[d > 0].mean(0))
    np.testing.assert_allclose(np.cov(source.T), np.cov(target.T), rtol=1e-8)


def test_other_shares_of_the_classes_are_borne_without_match_mean():
    rng = np.random.default_rng(0)
    y = rng.random(600) < np.repeat([0.5, 0.1], 300)
    X = rng.normal(size=(600, 2)) + 3.0 * y[:, None]
    d = np.repeat([1, -2], 300)
    scores = []
    for match_mean in (True, False):
        moved = LinearTransportTransformer(match_mean=match_mean).fit_transform(X, sample_domain=d)
        model = LogisticRegression().fit(moved[d > 0], y[d > 0])
        scores.append(model.score(X[d < 0], y[d < 0]))
    assert scores[1] > scores[0] + 0.1


def test_features_of_very_different_scales_are_all_aligned():
    # The eigenvalues of C_s^{1/2} C_t C_s^{1/2} span 16 digits here; its root must not lose them.
    X, d = two_domains(n=60, d=3)
    X = X * np.array([1e2, 1.0, 1e-2])
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(moved[d > 0].std(0), X[d < 0].std(0), rtol=1e-5)


def test_strength_moves_every_row_its_share_of_the_way():
    X, d = two_domains()
    full = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    part = LinearTransportTransformer(strength=0.3).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(part, X + 0.3 * (full - X))


def test_it_displaces_less_than_any_other_map_with_these_moments():
    X, d = two_domains()
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)[d > 0]
    source, target = X[d > 0], X[d < 0]
    least = ((moved - source) ** 2).sum(1).mean()
    whiten = np.linalg.inv(np.linalg.cholesky(np.cov(source.T))).T
    color = np.linalg.cholesky(np.cov(target.T)).T
    for seed in range(20):  # whiten, rotate at random, color
        Q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))
        other = (source - source.mean(0)) @ whiten @ Q @ color + target.mean(0)
        assert ((other - source) ** 2).sum(1).mean() > least


def test_rotating_the_features_rotates_the_result():
    X, d = two_domains()
    Q, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    turned = LinearTransportTransformer().fit_transform(X @ Q, sample_domain=d)
    np.testing.assert_allclose(turned, moved @ Q, atol=1e-8)


@pytest.mark.parametrize("reg", [0.1, 2.0])
def test_more_features_than_rows_give_the_dense_map_from_factors(xp, reg):
    X, d = two_domains(n=12, m=9, d=40)
    transformer = LinearTransportTransformer(reg=reg)
    moved = to_numpy(transformer.fit_transform(xp.asarray(X), sample_domain=d))
    assert isinstance(transformer.maps_[1], SpanMap)
    ridge = reg * np.eye(40)
    A = gaussian_transport_map(np.cov(X[d > 0].T) + ridge, np.cov(X[d < 0].T) + ridge)
    expected = (X[d > 0] - X[d > 0].mean(0)) @ A + X[d < 0].mean(0)
    np.testing.assert_allclose(moved[d > 0], expected, atol=1e-7 if xp.dtype == "float64" else 2e-2)


def test_a_feature_that_does_not_vary_in_the_source_is_only_shifted():
    X, d = two_domains()
    X[d > 0, 1] = 5.0
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(moved[d > 0, 1], X[d < 0, 1].mean())
    assert np.isfinite(moved).all()


def test_identical_domains_stay_where_they_are():
    X, _ = two_domains()
    both, d = np.concatenate([X, X]), np.repeat([1, -2], len(X))
    moved = LinearTransportTransformer().fit_transform(both, sample_domain=d)
    np.testing.assert_allclose(moved, both, atol=1e-9)


@pytest.mark.parametrize("n, m", [(10, 10_000), (10_000, 10)])
def test_very_unequal_domains_keep_the_moments(n, m):
    X, d = two_domains(n=n, m=m, d=3)
    moved = LinearTransportTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(np.cov(moved[d > 0].T), np.cov(X[d < 0].T), rtol=1e-7)


def test_shrinkage_by_name_is_scikit_learns():
    from sklearn.covariance import ledoit_wolf

    X, d = two_domains(n=30, m=25)
    moved = LinearTransportTransformer(reg="ledoit-wolf").fit_transform(X, sample_domain=d)
    C_s, C_t = ledoit_wolf(X[d > 0])[0] * 30 / 29, ledoit_wolf(X[d < 0])[0] * 25 / 24
    expected = (X[d > 0] - X[d > 0].mean(0)) @ gaussian_transport_map(C_s, C_t) + X[d < 0].mean(0)
    np.testing.assert_allclose(moved[d > 0], expected, rtol=1e-8)


@pytest.mark.parametrize(
    "params, match",
    [
        ({"strength": 1.5}, "strength must be a number in"),
        ({"reg": -1.0}, "reg must be a non-negative number"),
        ({"reg": "lw"}, "reg must be one of"),
    ],
)
def test_bad_parameters_are_named(params, match):
    X, d = two_domains()
    with pytest.raises(ValueError, match=match):
        LinearTransportTransformer(**params).fit(X, sample_domain=d)


def test_a_single_row_in_a_domain_is_an_error_that_says_so():
    X, _ = two_domains(n=5, m=5)
    with pytest.raises(ValueError, match="the target has 1 sample"):
        LinearTransportTransformer().fit(X, sample_domain=[1] * 9 + [-2])


# The shift it is for.


def affine_shift(seed):
    """Two classes along a diagonal; the target is stretched, sheared and moved."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 400)
    X = rng.normal(size=(400, 2)) * 0.5 + np.where(y[:, None], [1.5, 1.0], [-1.5, -1.0])
    X[200:] = X[200:] @ np.array([[0.6, 0.5], [0.5, 2.0]]) + [6.0, 0.0]
    return X, y, np.repeat([1, -2], 200)


def gain(transformer):
    """Mean gain in target accuracy over source-only, over seeds."""
    gains = []
    for seed in range(5):
        X, y, d = affine_shift(seed)
        target = d < 0
        plain = LogisticRegression().fit(X[~target], y[~target]).score(X[target], y[target])
        moved = transformer.fit_transform(X, sample_domain=d)
        adapted = LogisticRegression().fit(moved[~target], y[~target])
        gains.append(adapted.score(moved[target], y[target]) - plain)
    return np.mean(gains)


def test_an_affine_shift_is_undone():
    assert gain(LinearTransportTransformer()) > 0.2


def test_sabotage_without_the_map_nothing_is_gained(monkeypatch):
    monkeypatch.setattr(LinearTransportTransformer, "_map", lambda self, X, domain, backend: X)
    assert abs(gain(LinearTransportTransformer())) < 1e-12
