"""Kernels, bandwidths, tiled sums and explicit features, against SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics.pairwise import pairwise_kernels

from skda._numerics import _kernels as ks


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.standard_normal((70, 5)), rng.standard_normal((130, 5)) + 0.5


def test_squared_distances_equal_scipy(xp, rows):
    X, Y = rows
    atol = 1e-4 if xp.dtype == "float32" else 1e-12
    got = xp.to_numpy(ks.pairwise_sq_dists(xp.asarray(X), xp.asarray(Y)))
    np.testing.assert_allclose(got, cdist(X, Y, "sqeuclidean"), atol=atol)
    own = xp.to_numpy(ks.pairwise_sq_dists(xp.asarray(Y)))
    np.testing.assert_allclose(own, cdist(Y, Y, "sqeuclidean"), atol=atol)
    np.testing.assert_array_equal(own, own.T)
    assert own.min() >= 0


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_nearest_rows_are_those_of_scipy(xp, rows, offset):
    X, Y = (np.tile(part, (6, 1)) for part in rows)  # of equal rows the first is taken
    if xp.dtype == "float32" and offset:
        pytest.skip("single precision has no digits left for the distances")
    got = xp.to_numpy(ks.nearest_rows(xp.asarray(X + offset), xp.asarray(Y + offset)))
    np.testing.assert_array_equal(got % 130, cdist(X, Y[:130]).argmin(axis=1))


def test_squared_distances_survive_a_huge_offset(rows):
    X, Y = rows
    got = ks.pairwise_sq_dists(X + 1e6, Y + 1e6)
    np.testing.assert_allclose(got, cdist(X, Y, "sqeuclidean"), rtol=1e-7)


@pytest.mark.parametrize(
    "kernel, params",
    [
        ("rbf", {"gamma": 0.3}),
        ("linear", {}),
        ("poly", {"gamma": 0.3, "degree": 2, "coef0": 1.5}),
        ("laplacian", {"gamma": 0.3}),
        ("cosine", {}),
        ("sigmoid", {"gamma": 0.1, "coef0": 0.2}),
    ],
)
def test_kernels_equal_scikit_learn(xp, rows, kernel, params):
    X, Y = rows
    atol = 1e-4 if xp.dtype == "float32" else 1e-11
    got = ks.kernel_matrix(xp.asarray(X), xp.asarray(Y), kernel=kernel, **params)
    expected = pairwise_kernels(X, Y, metric=kernel, **params)
    np.testing.assert_allclose(xp.to_numpy(got), expected, atol=atol, rtol=1e-4)
    own = ks.kernel_matrix(xp.asarray(X), kernel=kernel, **params)
    np.testing.assert_allclose(
        xp.to_numpy(own), pairwise_kernels(X, metric=kernel, **params), atol=atol, rtol=1e-4
    )
    assert got.dtype == xp.asarray(X).dtype


@pytest.mark.parametrize("gamma", [1e9, 1e16, 1e20, 1e300])
def test_a_narrow_gaussian_is_no_more_than_one_but_for_a_trifle(xp, rows, gamma):
    X, _ = rows
    X = xp.asarray(X)
    if xp.dtype == "float32" and gamma > 1e30:
        pytest.skip("beyond the largest number of float32")
    for K in (ks.kernel_matrix(X, X + 0.0, gamma=gamma), ks.kernel_matrix(X, gamma=gamma)):
        K = xp.to_numpy(K)
        assert np.isfinite(K).all()
        assert K.max() < 1.001


def test_tiles_do_not_change_the_matrix(monkeypatch, rows):
    _, Y = rows
    whole = ks.kernel_matrix(Y, gamma=0.2)
    monkeypatch.setattr(ks, "_TILE_BYTES", 1)  # 64 rows a tile
    np.testing.assert_allclose(ks.kernel_matrix(Y, gamma=0.2), whole, rtol=1e-12)
    np.testing.assert_allclose(ks.kernel_matrix(Y, Y, gamma=0.2), whole, rtol=1e-12)


def test_functions_and_precomputed_matrices_are_kernels(rows):
    X, Y = rows
    got = ks.kernel_matrix(X, Y, kernel=lambda A, B: (A @ B.T) ** 2)
    np.testing.assert_allclose(got, (X @ Y.T) ** 2)
    K = X @ X.T
    assert ks.kernel_matrix(K, kernel="precomputed") is K


def test_a_kernel_of_single_rows_is_refused(rows):
    with pytest.raises(ValueError, match=r"of shape \(70, 70\)"):
        ks.kernel_matrix(rows[0], kernel=lambda A, B: A[0] @ B[0].T)


def test_an_unknown_kernel_is_refused(rows):
    with pytest.raises(ValueError, match=r"kernel must be .* got 'gauss'"):
        ks.kernel_matrix(rows[0], kernel="gauss")


@pytest.mark.parametrize("n", [6, 7])  # an even and an odd number of pairs
def test_median_gamma_is_that_of_all_pairs(xp, n):
    X = np.random.default_rng(n).standard_normal((n, 3))
    expected = 1 / (2 * np.median(pdist(X)) ** 2)
    assert ks.resolve_gamma("median", xp.asarray(X)) == pytest.approx(expected, rel=1e-5)
    expected = 1 / np.median(pdist(X, "cityblock"))
    got = ks.resolve_gamma("median", xp.asarray(X), kernel="laplacian")
    assert got == pytest.approx(expected, rel=1e-5)


def test_median_gamma_on_a_draw_is_near_and_the_same_everywhere(xp):
    X = np.random.default_rng(0).standard_normal((1500, 3))
    drawn = ks.resolve_gamma("median", xp.asarray(X), max_rows=400, random_state=3)
    host = ks.resolve_gamma("median", X, max_rows=400, random_state=3)
    assert drawn == pytest.approx(host, rel=1e-4)
    assert drawn == pytest.approx(1 / (2 * np.median(pdist(X)) ** 2), rel=0.1)


def test_scale_gamma_is_scikit_learns(rows):
    X, _ = rows
    assert ks.resolve_gamma("scale", X) == pytest.approx(1 / (5 * X.var()))


def test_gamma_of_coinciding_rows_is_finite():
    X = np.repeat([[0.0], [1.0]], [9, 1], axis=0)  # more than half of the pairs coincide
    assert ks.resolve_gamma("median", X) == pytest.approx(0.5 / 0.2)
    assert ks.resolve_gamma("median", np.ones((5, 2))) == 0.5
    assert ks.resolve_gamma("scale", np.ones((5, 2))) == 1.0


@pytest.mark.parametrize("gamma", [0, -1.0, np.nan, np.inf, "auto", None, True])
def test_gamma_must_be_positive(gamma):
    with pytest.raises(ValueError, match="gamma must be a positive number, 'median' or 'scale'"):
        ks.resolve_gamma(gamma, np.eye(3))


@pytest.mark.parametrize("kernel", [*ks.KERNELS, lambda A, B: A @ B.T + 1.0])
def test_sums_in_tiles_equal_those_of_the_matrix(xp, rows, kernel, monkeypatch):
    monkeypatch.setattr(ks, "_TILE_BYTES", 4096)  # tiles of 22 or 32 rows
    X, Y = (xp.asarray(Z) for Z in rows)
    params = {"kernel": kernel, "gamma": 0.3}
    K = xp.to_numpy(ks.kernel_matrix(X, Y, **params))
    rng = np.random.default_rng(1)
    tol = {"rtol": 1e-3, "atol": 1e-3} if xp.dtype == "float32" else {"rtol": 1e-10, "atol": 1e-10}
    for coef in (rng.normal(size=len(K[0])), rng.normal(size=(len(K[0]), 3))):
        got = ks.kernel_apply(X, Y, xp.asarray(coef), **params)
        np.testing.assert_allclose(xp.to_numpy(got), K @ coef, **tol)
    got = ks.kernel_row_means(X, Y, **params)
    np.testing.assert_allclose(xp.to_numpy(got), K.mean(axis=1), **tol)
    assert ks.kernel_mean(X, Y, **params) == pytest.approx(K.mean(), rel=1e-4)


def test_nystroem_on_all_rows_is_exact_and_on_few_is_exact_for_low_rank(xp, rows):
    X, Y = rows
    atol = 1e-3 if xp.dtype == "float32" else 1e-6
    features = ks.nystroem_map(xp.asarray(X), 70, gamma=0.3)
    F = xp.to_numpy(features(xp.asarray(X)))
    np.testing.assert_allclose(F @ F.T, pairwise_kernels(X, metric="rbf", gamma=0.3), atol=atol)
    features = ks.nystroem_map(xp.asarray(Y), 20, kernel="linear", random_state=0)
    F = xp.to_numpy(features(xp.asarray(Y)))
    assert F.shape[1] == 5  # rank of the linear kernel
    np.testing.assert_allclose(F @ F.T, Y @ Y.T, atol=10 * atol)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian"])
def test_fourier_features_approach_the_kernel(xp, rows, kernel):
    X, _ = rows
    draw = ks.fourier_map(xp.asarray(X), 20_000, kernel=kernel, gamma=0.1, random_state=0)
    F = xp.to_numpy(draw(xp.asarray(X)))
    expected = pairwise_kernels(X, metric=kernel, gamma=0.1)
    np.testing.assert_allclose(F @ F.T, expected, atol=0.05)


def test_fourier_features_of_other_kernels_are_refused(rows):
    with pytest.raises(ValueError, match="Random Fourier features exist for"):
        ks.fourier_map(rows[0], 10, kernel="poly")


def test_a_kernel_function_that_returns_no_matrix_is_named(rows):
    X, Y = rows
    for wrong, got in ((lambda a, b: 1.0, "a float"), (lambda a, b: a, r"shape \(70, 5\)")):
        with pytest.raises(ValueError, match=f"matrix between all rows.*got {got}"):
            ks.kernel_matrix(X, Y, kernel=wrong)
