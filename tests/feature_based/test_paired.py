"""Paired rows: direct standardization and canonical correlation against closed forms and peers."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.cross_decomposition import CCA, PLSRegression
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import cross_validate

from skda import DirectStandardizationTransformer, PairedCCATransformer, make_domain_pipeline
from skda.feature_based._base_paired import pairs_by_id, pairs_by_order
from skda.feature_based._direct_standardization import local_pls, local_ridge, ridge_factors
from skda.model_selection import DomainStratifiedKFold


def spectra(n=60, d=40, seed=0):
    """Smooth spectra on two instruments: the second has a gain, a shift of channels and a base."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, d)
    peaks = np.exp(-((x - np.array([[0.2], [0.5], [0.7], [0.85]])) ** 2) / 0.01)
    amounts = rng.uniform(0.5, 2.0, size=(n, 4))
    a = amounts @ peaks + 0.002 * rng.normal(size=(n, d))
    moved = 0.7 * peaks + 0.3 * np.roll(peaks, 1, axis=1)
    b = 1.2 * amounts @ moved + 0.3 + 0.2 * x + 0.002 * rng.normal(size=(n, d))
    return a, b, amounts[:, 0]


def stacked(a, b, order=None):
    X = np.concatenate([a, b])
    d = np.repeat([1, -2], [len(a), len(b)])
    pair = np.concatenate([np.arange(len(a)), np.arange(len(b))])
    if order is not None:
        X, d, pair = X[order], d[order], pair[order]
    return X, d, pair


# Which rows are pairs.


def test_pairs_are_rows_of_one_name_in_both_domains():
    ids = np.array([1, -2, 1, -2, -2, 1])
    names = ["a", "b", "b", None, "a", "c"]
    assert pairs_by_id(names, ids).tolist() == [[0, 4], [2, 1]]
    assert pairs_by_id(np.array([0, 1, 1, -1, 0, -1]), ids).tolist() == [[0, 4], [2, 1]]
    assert pairs_by_id(pd.Series([0.0, 1, 1, np.nan, 0, np.nan]), ids).tolist() == [[0, 4], [2, 1]]


def test_pairs_by_order_are_the_rows_of_one_rank():
    assert pairs_by_order(np.array([-2, 1, 1, -2])).tolist() == [[1, 0], [2, 3]]
    with pytest.raises(ValueError, match="needs as many rows in each source"):
        pairs_by_order(np.array([1, 1, -2]))


@pytest.mark.parametrize(
    ("pair_id", "words"),
    [
        (None, r"it needs pair_id in fit.*pairing='order' or fit_pairs"),
        (np.arange(7), "one value per row"),
        (np.zeros(120), "stands twice in domain"),
        (np.arange(120), "at least 2 pairs .* got 0 samples"),
    ],
)
def test_missing_or_wrong_names_of_samples_are_refused(pair_id, words):
    X, d, _ = stacked(*spectra()[:2])
    for estimator in (DirectStandardizationTransformer(), PairedCCATransformer()):
        with pytest.raises(ValueError, match=words):
            estimator.fit(X, sample_domain=d, pair_id=pair_id)
        assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.parametrize("estimator", [DirectStandardizationTransformer(), PairedCCATransformer()])
def test_the_three_ways_to_name_pairs_agree_and_the_order_of_rows_does_not_matter(estimator):
    a, b, _ = spectra()
    order = np.random.default_rng(1).permutation(2 * len(a))
    X, d, pair = stacked(a, b)
    wanted = estimator.fit_pairs(a, b).transform(b)
    by_id = estimator.fit(X[order], sample_domain=d[order], pair_id=pair[order]).transform(b)
    np.testing.assert_allclose(by_id, wanted, rtol=1e-6, atol=1e-8)
    text = np.array([f"sample {i}" for i in pair])
    at_once = estimator.fit_transform(X, sample_domain=d, pair_id=text)[d < 0]
    np.testing.assert_allclose(at_once, wanted, rtol=1e-6, atol=1e-8)
    by_order = type(estimator)(pairing="order").fit(X, sample_domain=d).transform(b)
    np.testing.assert_allclose(by_order, wanted, rtol=1e-6, atol=1e-8)


def test_tables_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match=r"same samples.*got 3 and 2 rows"):
        DirectStandardizationTransformer().fit_pairs(np.eye(3), np.eye(3)[:2])
    with pytest.raises(ValueError, match=r"same columns; got 3 and 2"):
        DirectStandardizationTransformer().fit_pairs(np.eye(3), np.eye(3)[:, :2])


def test_rows_without_a_partner_are_mapped_and_not_learnt_from():
    a, b, _ = spectra()
    X, d, pair = stacked(a[:30], b)
    pair = pair.astype(float)
    pair[60:] = np.nan
    with_more = DirectStandardizationTransformer().fit(X, sample_domain=d, pair_id=pair)
    assert with_more.n_pairs_ == 30
    alone = DirectStandardizationTransformer().fit_pairs(a[:30], b[:30])
    np.testing.assert_allclose(with_more.transform(b), alone.transform(b))


def test_a_pipeline_and_a_search_hand_the_names_on():
    a, b, y = spectra()
    X, d, pair = stacked(a, b)
    labels = np.concatenate([y, y])
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_domain_pipeline(DirectStandardizationTransformer(), Ridge(1e-3))
        model.fit(X, labels, sample_domain=d, pair_id=pair)
        assert model.score(b, y) > 0.95
        scores = cross_validate(
            model,
            X,
            labels,
            cv=DomainStratifiedKFold(2),
            params={"sample_domain": d, "pair_id": pair},
            error_score="raise",
        )
    assert scores["test_score"].min() > 0.9


# Direct standardization.


def test_ridge_factors_solve_the_ridge_problem():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(12, 20)), rng.normal(size=(12, 5))
    A, B = A - A.mean(0), B - B.mean(0)
    left, right = ridge_factors(A, B, 0.01)
    penalty = 0.01 * np.linalg.norm(A, 2) ** 2
    wanted = np.linalg.solve(A.T @ A + penalty * np.eye(20), A.T @ B)
    np.testing.assert_allclose(left @ right, wanted, atol=1e-10)


def test_the_automatic_penalty_has_the_smallest_generalized_cross_validation_error():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(25, 10)) * np.logspace(0, -3, 10)
    B = A @ rng.normal(size=(10, 3)) + 0.3 * rng.normal(size=(25, 3))
    A, B = A - A.mean(0), B - B.mean(0)

    def gcv(coef, penalty):
        hat = A @ np.linalg.solve(A.T @ A + penalty * np.eye(10), A.T)
        return ((B - A @ coef) ** 2).sum() / (24 - np.trace(hat)) ** 2

    s0 = np.linalg.norm(A, 2) ** 2
    grid = s0 * np.logspace(-8, 0, 25)
    coefs = [np.linalg.solve(A.T @ A + p * np.eye(10), A.T @ B) for p in grid]
    best = coefs[int(np.argmin([gcv(c, p) for c, p in zip(coefs, grid, strict=True)]))]
    left, right = ridge_factors(A, B, "auto")
    np.testing.assert_allclose(left @ right, best, rtol=1e-6, atol=1e-9)


def test_with_more_standards_than_channels_ds_is_least_squares():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 6)), rng.normal(size=(50, 6))
    ds = DirectStandardizationTransformer("ds", reg=0.0).fit_pairs(a, b)
    np.testing.assert_allclose(ds.transform(b), LinearRegression().fit(b, a).predict(b))
    pls = DirectStandardizationTransformer("ds", regression="pls", n_components=3)
    wanted = PLSRegression(3, scale=False).fit(b, a).predict(b)
    np.testing.assert_allclose(pls.fit_pairs(a, b).transform(b), wanted, atol=1e-9)


def test_local_regressions_are_those_of_scikit_learn_channel_by_channel():
    rng = np.random.default_rng(0)
    windows, outputs = rng.normal(size=(7, 20, 5)), rng.normal(size=(7, 20))
    windows -= windows.mean(axis=1, keepdims=True)
    outputs -= outputs.mean(axis=1, keepdims=True)
    for j in range(7):
        penalty = 0.1 * np.linalg.norm(windows[j], 2) ** 2
        ridge = Ridge(penalty, fit_intercept=False).fit(windows[j], outputs[j]).coef_
        np.testing.assert_allclose(local_ridge(windows, outputs, 0.1)[j], ridge, atol=1e-9)
        for k in (1, 3, 5):
            pls = PLSRegression(k, scale=False).fit(windows[j], outputs[j]).coef_[0]
            np.testing.assert_allclose(local_pls(windows, outputs, k)[j], pls, atol=1e-9)


def test_a_window_over_all_channels_makes_pds_of_ds():
    a, b, _ = spectra(d=8)
    params = {"regression": "ridge", "reg": 1e-3}
    wide = DirectStandardizationTransformer("pds", window=99, **params).fit_pairs(a, b)
    ds = DirectStandardizationTransformer("ds", **params).fit_pairs(a, b)
    np.testing.assert_allclose(wide.transform(b), ds.transform(b), atol=1e-8)


def test_a_window_of_no_neighbors_is_a_line_per_channel():
    a, b, _ = spectra(d=8)
    pds = DirectStandardizationTransformer(window=0).fit_pairs(a, b)
    for j in range(8):
        wanted = LinearRegression().fit(b[:, [j]], a[:, j]).predict(b[:, [j]])
        np.testing.assert_allclose(pds.transform(b)[:, j], wanted, atol=1e-9)


def test_sst_is_the_published_formula():
    a, b, _ = spectra()
    A, B = b - b.mean(0), a - a.mean(0)
    P = np.linalg.svd(np.hstack([A, B]))[2][:3]
    P_A, P_B = P[:, :40], P[:, 40:]
    wanted = A + A @ np.linalg.pinv(P_A.T).T @ (P_B - P_A) + a.mean(0)
    sst = DirectStandardizationTransformer("sst", n_components=3).fit_pairs(a, b)
    np.testing.assert_allclose(sst.transform(b), wanted, atol=1e-9)


def test_either_side_can_be_mapped():
    a, b, _ = spectra()
    X, d, pair = stacked(a, b)
    mapped = {}
    for direction in ("to_source", "to_target"):
        ds = DirectStandardizationTransformer(direction=direction)
        mapped[direction] = ds.fit_transform(X, sample_domain=d, pair_id=pair)
    np.testing.assert_array_equal(mapped["to_source"][d > 0], a)
    np.testing.assert_array_equal(mapped["to_target"][d < 0], b)
    assert np.abs(mapped["to_source"][d < 0] - a).mean() < 0.2 * np.abs(b - a).mean()
    assert np.abs(mapped["to_target"][d > 0] - b).mean() < 0.2 * np.abs(b - a).mean()


@pytest.mark.parametrize("method", ["ds", "pds", "sst"])
def test_channels_that_do_not_vary_stay_finite(method):
    a, b, _ = spectra()
    a[:, 3], b[:, 3:12] = 5.0, 2.0
    for regression in ("ridge", "pls"):
        ds = DirectStandardizationTransformer(method, regression=regression).fit_pairs(a, b)
        assert np.isfinite(ds.transform(b)).all()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"method": "dts"}, "method must be one of"),
        ({"regression": "lasso"}, "regression must be one of"),
        ({"direction": "left"}, "direction must be one of"),
        ({"pairing": "name"}, "pairing must be one of"),
        ({"window": -1}, "window must be an integer"),
        ({"n_components": 0}, "n_components must be an integer"),
        ({"reg": -1.0}, "reg must be a non-negative number"),
        ({"strength": 2}, "strength must be a number"),
    ],
)
def test_bad_parameters_of_standardization_are_named(params, words):
    a, b, _ = spectra(n=5)
    with pytest.raises(ValueError, match=words):
        DirectStandardizationTransformer(**params).fit_pairs(a, b)


@pytest.mark.parametrize("method", ["ds", "pds", "sst"])
@pytest.mark.parametrize("seed", range(3))
def test_a_calibration_holds_on_the_other_instrument(method, seed):
    a, b, y = spectra(seed=seed)
    model = PLSRegression(4, scale=False).fit(a, y)
    params = {"n_components": 4} if method == "sst" else {}
    ds = DirectStandardizationTransformer(method, **params).fit_pairs(a[:15], b[:15])

    def error(rows):
        return np.sqrt(np.mean((model.predict(rows).ravel() - y[15:]) ** 2))

    assert error(ds.transform(b[15:])) < 0.4 * error(b[15:])
    still = DirectStandardizationTransformer(method, strength=0).fit_pairs(a[:15], b[:15])
    assert error(still.transform(b[15:])) == error(b[15:])


# Canonical correlation.


def views(n=300, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 2))
    return [common @ rng.normal(size=(2, d)) + 0.5 * rng.normal(size=(n, d)) for d in (5, 5)] + [
        common
    ]


def test_without_a_ridge_it_is_the_classical_analysis():
    a, b, _ = views()
    cca = PairedCCATransformer(2, reg=0.0).fit_pairs(a, b)
    ids = np.ones(len(a))
    ours = cca.transform(a, sample_domain=ids), cca.transform(b)
    theirs = CCA(2, scale=False, max_iter=5000, tol=1e-12).fit(a, b).transform(a, b)
    for k in range(2):
        for x, z in zip(ours, theirs, strict=True):
            assert abs(np.corrcoef(x[:, k], z[:, k])[0, 1]) > 0.9999
        found = np.corrcoef(ours[0][:, k], ours[1][:, k])[0, 1]
        assert found == pytest.approx(cca.correlations_[k], abs=1e-9)
    np.testing.assert_allclose(np.cov(ours[0].T, bias=True), np.eye(2), atol=1e-9)


def test_the_ridge_is_that_of_the_generalized_eigenproblem():
    from scipy.linalg import eigh

    a, b, _ = views(n=30)
    A, B, n = a - a.mean(0), b - b.mean(0), 30
    Ca, Cb = A.T @ A / n, B.T @ B / n
    Ra, Rb = (C + 0.3 * np.trace(C) / 5 * np.eye(5) for C in (Ca, Cb))
    cross = A.T @ B / n
    left = np.block([[np.zeros((5, 5)), cross], [cross.T, np.zeros((5, 5))]])
    zero = np.zeros((5, 5))
    values = eigh(left, np.block([[Ra, zero], [zero, Rb]]), eigvals_only=True)[::-1][:3]
    cca = PairedCCATransformer(3, reg=0.3).fit_pairs(a, b)
    np.testing.assert_allclose(cca.correlations_, values, atol=1e-9)


def test_more_features_than_pairs_need_the_ridge_and_get_it():
    def found(reg, seed):
        a, b, common = views(n=60)
        rng = np.random.default_rng(seed)
        a, b = (np.hstack([rows, rng.normal(size=(60, 80))]) for rows in (a, b))
        scores = PairedCCATransformer(2, reg=reg).fit_pairs(a[:30], b[:30]).transform(b[30:])
        return LinearRegression().fit(scores, common[30:]).score(scores, common[30:])

    # Without a ridge all correlations are 1, and which scores come first is left to rounding: one
    # draw says nothing.
    gains = [found(0.1, seed) - found(0.0, seed) for seed in range(20)]
    assert np.mean(gains) > 0.05


def test_a_kernel_finds_what_no_line_does():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 400)
    radius = rng.choice([1.0, 3.0], 400)
    a = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    b = np.column_stack([radius + 0.1 * rng.normal(size=400), rng.normal(size=400)])
    ids = np.ones(200)

    def found(**params):
        cca = PairedCCATransformer(1, **params).fit_pairs(a[:200], b[:200])
        return abs(np.corrcoef(cca.transform(a[200:], sample_domain=ids)[:, 0], radius[200:])[0, 1])

    assert found() < 0.3
    assert found(kernel="rbf", gamma=0.5) > 0.9


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n_components": 0}, "n_components must be an integer"),
        ({"reg": -0.1}, "reg must be a non-negative number"),
        ({"kernel": "cosine"}, "kernel must be one of"),
        ({"gamma": 0.0}, "gamma must be a positive number"),
        ({"pairing": 1}, "pairing must be one of"),
    ],
)
def test_bad_parameters_of_cca_are_named(params, words):
    a, b, _ = views(n=5)
    with pytest.raises(ValueError, match=words):
        PairedCCATransformer(**params).fit_pairs(a, b)
