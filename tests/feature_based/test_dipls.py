"""DIPLS against its normal equations, and on instruments that differ where y does not matter."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.cross_decomposition import PLSRegression

from skda import DIPLSRegressor, KernelDIPLSRegressor
from skda.feature_based._dipls import covariance_gap, invariant_weights


def instruments(seed=0, n=60, d=12):
    """Target rows with an offset and with a large variance in a direction of its own."""
    rng = np.random.default_rng(seed)
    latent, bad = rng.normal(size=(2 * n, 2)), rng.normal(size=d)
    loadings = rng.normal(size=(2, d))
    loadings[1] += bad  # what explains y also leans on what the instrument adds
    X = latent @ loadings + 0.05 * rng.normal(size=(2 * n, d))
    y = latent[:, 0] + 0.1 * rng.normal(size=2 * n)
    ids = np.repeat([1, -2], n)
    X[:n] += np.outer(0.1 * rng.normal(size=n), bad)
    X[n:] += np.outer(4 * rng.normal(size=n), bad) + 3
    return X, y, ids


def centered(X, y, ids):
    Xs, Xt, ys = X[ids > 0], X[ids < 0], y[ids > 0]
    return Xs - Xs.mean(0), Xt - Xt.mean(0), (ys - ys.mean())[:, None]


def test_weights_minimize_their_objective():
    X, y, ids = instruments()
    Xs, Xt, ys = centered(X, y, ids)
    D = covariance_gap(Xs, Xt)

    def objective(w):
        return ((Xs - ys * w) ** 2).sum() + 7.0 * w @ D @ w

    best = minimize(objective, np.zeros(12), tol=1e-12).x
    w, _ = invariant_weights(Xs, ys, D, 7.0)
    np.testing.assert_allclose(w[:, 0], best / np.linalg.norm(best), atol=1e-5)


def test_gap_is_the_absolute_value_of_the_difference():
    X, y, ids = instruments()
    Xs, Xt, _ = centered(X, y, ids)
    D = covariance_gap(Xs, Xt)
    gap = Xs.T @ Xs / len(Xs) - Xt.T @ Xt / len(Xt)
    np.testing.assert_allclose(D @ D, gap @ gap, atol=1e-9 * np.abs(gap @ gap).max())
    assert np.linalg.eigvalsh(D).min() > -1e-9


def test_without_penalty_source_rows_get_partial_least_squares():
    X, y, ids = instruments()
    model = DIPLSRegressor(3, reg=0.0).fit(X, y, sample_domain=ids)
    pls = PLSRegression(3, scale=False).fit(X[ids > 0], y[ids > 0])
    np.testing.assert_allclose(
        model.predict(X[ids > 0], sample_domain=ids[ids > 0]),
        pls.predict(X[ids > 0]).ravel(),
        atol=1e-8,
    )


@pytest.mark.parametrize("reg", [0.0, 3.0, "auto"])
def test_wide_rows_are_solved_in_their_span(reg):
    rng = np.random.default_rng(0)
    X, y, ids = instruments(d=12)
    turn, _ = np.linalg.qr(rng.normal(size=(200, 12)))
    narrow = DIPLSRegressor(3, reg=reg).fit(X, y, sample_domain=ids)
    wide = DIPLSRegressor(3, reg=reg).fit(X @ turn.T, y, sample_domain=ids)
    np.testing.assert_allclose(wide.predict(X @ turn.T), narrow.predict(X), atol=1e-8)
    np.testing.assert_allclose(wide.coef_, turn @ narrow.coef_, atol=1e-8)


def test_target_coefficients_use_the_targets_loadings():
    X, y, ids = instruments()
    Xs, Xt, ys = centered(X, y, ids)
    model = DIPLSRegressor(1, reg=5.0).fit(X, y, sample_domain=ids)
    w = model.x_weights_
    t = Xs @ w
    c = (t.T @ ys) / (t.T @ t)
    p = Xt.T @ (Xt @ w) / ((Xt @ w).T @ (Xt @ w))
    np.testing.assert_allclose(model.coef_, (w @ c / (p.T @ w))[:, 0], atol=1e-10)


def test_every_backend_agrees(xp):
    X, y, ids = instruments()
    host = DIPLSRegressor(3, reg=5.0).fit(X, y, sample_domain=ids).predict(X)
    there = DIPLSRegressor(3, reg=5.0).fit(xp.asarray(X), y, sample_domain=ids)
    got = xp.to_numpy(there.predict(xp.asarray(X)))
    np.testing.assert_allclose(got, host, atol=1e-2 if xp.dtype == "float32" else 1e-8)


def test_dipls_avoids_what_only_the_target_instrument_shows():
    plain, adapted, off = [], [], []
    for seed in range(5):
        X, y, ids = instruments(seed)
        source, target = ids > 0, ids < 0

        def error(predicted, y=y, target=target):
            return np.sqrt(np.mean((predicted - y[target]) ** 2))

        pls = PLSRegression(2, scale=False).fit(X[source], y[source])
        plain.append(error(pls.predict(X[target]).ravel()))
        model = DIPLSRegressor(2)
        adapted.append(error(model.fit(X, y, sample_domain=ids).predict(X[target])))
        model.set_params(reg=0)  # sabotage: only the mean is moved
        off.append(error(model.fit(X, y, sample_domain=ids).predict(X[target])))
    assert np.mean(adapted) < 0.5 * np.mean(plain)
    assert np.mean(adapted) < 0.7 * np.mean(off)


def test_more_components_than_there_is_to_explain_stop_early():
    X, y, ids = instruments(d=3)
    model = DIPLSRegressor(50).fit(X, y, sample_domain=ids)
    assert model.n_components_ <= 3
    constant = DIPLSRegressor(2).fit(X, np.ones(len(y)), sample_domain=ids)
    np.testing.assert_allclose(constant.predict(X), 1.0)


@pytest.mark.parametrize("params", [{"n_components": 0}, {"reg": -1.0}, {"reg": "best"}])
def test_bad_parameters_raise(params):
    X, y, ids = instruments()
    with pytest.raises(ValueError, match=next(iter(params))):
        DIPLSRegressor(**params).fit(X, y, sample_domain=ids)


@pytest.mark.parametrize("scale_y", [1.0, 1e-3])
@pytest.mark.parametrize("scale_x", [1e-3, 1.0, 1e3])
def test_the_automatic_weight_does_not_depend_on_the_units(scale_x, scale_y):
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(120, 6)), np.repeat([1, -2], 60)
    y = X @ [2.0, 1.0, 0.5, 0.0, 0.0, 0.0]
    X[ids < 0] = X[ids < 0] * [1, 1, 3, 1, 1, 2] + 1.0
    expected = DIPLSRegressor(2).fit(X, y, sample_domain=ids).predict(X)
    model = DIPLSRegressor(2).fit(X * scale_x, y * scale_y, sample_domain=ids)
    np.testing.assert_allclose(model.predict(X * scale_x) / scale_y, expected, rtol=1e-8)


# Several targets.


def three_instruments():
    """Rows of a source and of two targets for the tables here and in test_kernel_dipls.py."""
    rng = np.random.default_rng(3)
    ids = np.repeat([1, -2, -5], [20, 12, 15])
    X = rng.normal(size=(47, 6)) @ rng.normal(size=(6, 6))
    y = X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=47)
    X[ids == -2] = X[ids == -2] * [1, 1, 2, 1, 1, 1] + 1.0
    X[ids == -5] = X[ids == -5] * [1, 1, 1, 3, 1, 1] - 2.0
    return X, y, ids


def test_targets_kept_apart_get_the_predictions_of_diplslib():
    X, y, ids = three_instruments()
    model = DIPLSRegressor(3, reg=50.0, per_target=True).fit(X, y, sample_domain=ids)
    # First rows of each target by dipals() of diPLSlib 2.5.0 with l=(50.0, 50.0, 50.0) on centered
    # rows, xt the list of both targets, target_domain=1 and 2.
    expected = {
        -2: [0.930695, 0.614911, 4.854437, -5.499324],
        -5: [-1.632069, 3.062042, -0.109889, 1.05428],
    }
    predicted = model.predict(X, sample_domain=ids)
    for domain, rows in expected.items():
        np.testing.assert_allclose(predicted[ids == domain][:4], rows, atol=1e-6)


@pytest.mark.parametrize("cls", [DIPLSRegressor, KernelDIPLSRegressor])
def test_a_single_target_is_the_same_kept_apart_or_not(cls):
    X, y, ids = instruments()
    apart = cls(2, per_target=True).fit(X, y, sample_domain=ids)
    pooled = cls(2).fit(X, y, sample_domain=ids)
    np.testing.assert_array_equal(apart.predict(X), pooled.predict(X))


def test_two_targets_of_the_same_rows_weigh_twice():
    X, y, ids = instruments()
    twice = np.concatenate([X, X[ids < 0]])
    ids_twice = np.concatenate([ids, np.full(60, -9)])
    y_twice = np.concatenate([y, y[ids < 0]])
    apart = DIPLSRegressor(3, reg=5.0, per_target=True)
    apart.fit(twice, y_twice, sample_domain=ids_twice)
    pooled = DIPLSRegressor(3, reg=10.0).fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(apart.coef_, [pooled.coef_, pooled.coef_], atol=1e-8)


def test_rows_of_several_targets_need_their_domain():
    X, y, ids = three_instruments()
    model = DIPLSRegressor(2, per_target=True).fit(X, y, sample_domain=ids)
    assert model.target_domains_ == [-5, -2]
    with pytest.raises(ValueError, match="has a map for each target"):
        model.predict(X[ids == -2])
    np.testing.assert_allclose(
        model.predict(X[::-1], sample_domain=ids[::-1]), model.predict(X, sample_domain=ids)[::-1]
    )
    DIPLSRegressor(2).fit(X, y, sample_domain=ids).predict(X[ids == -2])  # pooled ones do not


def test_targets_with_offsets_of_their_own_are_better_kept_apart():
    apart, pooled = [], []
    for seed in range(4):
        X, y, ids = instruments(seed)
        third = np.where(np.arange(60) < 30, -2, -3)
        ids = np.concatenate([ids[:60], third])
        X[ids == -3] -= 6.0

        def error(model, X=X, y=y, ids=ids):
            predicted = model.fit(X, y, sample_domain=ids).predict(X, sample_domain=ids)
            return np.sqrt(np.mean((predicted - y)[ids < 0] ** 2))

        apart.append(error(DIPLSRegressor(2, per_target=True)))
        pooled.append(error(DIPLSRegressor(2)))
    assert np.mean(apart) < 0.8 * np.mean(pooled)
