"""Covariances, matrix powers and leading eigenpairs, against NumPy, SciPy and scikit-learn."""

import warnings

import numpy as np
import pytest
from scipy import linalg, sparse
from sklearn.covariance import ledoit_wolf, oas
from sklearn.exceptions import ConvergenceWarning

from skda._numerics import _covariance as cov
from skda._numerics import _linalg as la


def _spd(rng, d, condition=10.0):
    Q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return (Q * np.geomspace(1.0, 1.0 / condition, d)) @ Q.T


def _reference_power(C, p, reg=0.0):
    w, V = linalg.eigh(C)
    return (V * (w + reg) ** p) @ V.T


def _tol(xp):
    return 2e-4 if xp.dtype == "float32" else 1e-9


def test_covariance_equals_numpy(xp):
    X = np.random.default_rng(0).standard_normal((700, 7)) * 3 + 5
    C = cov.covariance(xp.asarray(X))
    np.testing.assert_allclose(xp.to_numpy(C), np.cov(X.T), rtol=_tol(xp), atol=_tol(xp))


def test_covariance_tiles_do_not_change_the_result(monkeypatch):
    X = np.random.default_rng(0).standard_normal((1001, 5))
    one = cov.covariance(X)
    monkeypatch.setattr(
        cov, "row_tiles", lambda n, *a, **k: [slice(i, i + 37) for i in range(0, n, 37)]
    )
    np.testing.assert_allclose(cov.covariance(X), one, rtol=1e-13)


def test_covariance_survives_a_huge_mean():
    X = np.random.default_rng(0).standard_normal((500, 3))
    np.testing.assert_allclose(cov.covariance(X + 1e7), np.cov(X.T), atol=1e-7)


@pytest.mark.parametrize("shape", [(40, 5), (20, 60), (600, 4)])
@pytest.mark.parametrize("name, reference", [("ledoit-wolf", ledoit_wolf), ("oas", oas)])
def test_shrinkage_equals_scikit_learn(shape, name, reference):
    X = np.random.default_rng(0).standard_normal(shape) * np.arange(1, shape[1] + 1)
    expected, _ = reference(X)
    np.testing.assert_allclose(cov.covariance(X, shrinkage=name, ddof=0), expected, rtol=1e-10)


def test_full_shrinkage_is_a_multiple_of_the_identity(xp):
    X = xp.asarray(np.random.default_rng(0).standard_normal((50, 3)))
    C = xp.to_numpy(cov.covariance(X, shrinkage=1.0))
    np.testing.assert_allclose(C, np.eye(3) * C[0, 0], atol=1e-6)


@pytest.mark.parametrize("shrinkage", [-0.1, 1.5, "lw"])
def test_shrinkage_outside_its_range_raises(shrinkage):
    with pytest.raises(ValueError, match="shrinkage must be"):
        cov.covariance(np.eye(3), shrinkage=shrinkage)


def test_merged_moments_equal_those_of_all_rows(xp):
    X = np.random.default_rng(0).standard_normal((90, 4)) + 100.0
    parts = [cov.moments(xp.asarray(part)) for part in np.split(X, [10, 11, 60])]
    merged = parts[0]
    for part in parts[1:]:
        merged = cov.merge_moments(merged, part)
    whole = cov.moments(xp.asarray(X))
    assert merged.count == 90
    np.testing.assert_allclose(xp.to_numpy(merged.mean), X.mean(0), rtol=_tol(xp))
    np.testing.assert_allclose(
        xp.to_numpy(merged.scatter), xp.to_numpy(whole.scatter), rtol=0, atol=90 * _tol(xp)
    )


def test_forgetting_weights_old_rows_less():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((30, 3)), rng.standard_normal((20, 3)) + 2
    merged = cov.merge_moments(cov.moments(A), cov.moments(B), forgetting_factor=0.25)
    weights = np.r_[np.full(30, 0.25), np.ones(20)]
    rows = np.vstack([A, B])
    mean = np.average(rows, axis=0, weights=weights)
    centered = rows - mean
    np.testing.assert_allclose(merged.mean, mean)
    np.testing.assert_allclose(merged.scatter, (centered.T * weights) @ centered)
    assert merged.count == weights.sum()


def test_merged_moments_have_the_ledoit_wolf_intensity_of_all_rows(xp):
    X = np.random.default_rng(0).lognormal(size=(90, 4)) + 3.0
    parts = [cov.moments(xp.asarray(p), quartic=True) for p in np.split(X, [10, 11, 60])]
    merged = parts[0]
    for part in parts[1:]:
        merged = cov.merge_moments(merged, part)
    found = cov.covariance_from_moments(merged, shrinkage="ledoit-wolf", ddof=0)
    np.testing.assert_allclose(xp.to_numpy(found), ledoit_wolf(X)[0], rtol=50 * _tol(xp))


def test_forgotten_rows_lose_weight_in_the_fourth_powers():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((30, 3)), rng.standard_normal((20, 3)) + 2
    parts = cov.moments(A, quartic=True), cov.moments(B, quartic=True)
    merged = cov.merge_moments(*parts, forgetting_factor=0.25)
    weights, rows = np.r_[np.full(30, 0.25), np.ones(20)], np.vstack([A, B])
    centered = rows - np.average(rows, axis=0, weights=weights)
    squares = (centered**2).sum(axis=1)
    assert merged.quartic == pytest.approx(weights @ squares**2)
    np.testing.assert_allclose(merged.cubic, (weights * squares) @ centered)


def test_ledoit_wolf_without_fourth_powers_is_refused():
    m = cov.moments(np.random.default_rng(0).standard_normal((9, 2)))
    with pytest.raises(ValueError, match="quartic=True"):
        cov.covariance_from_moments(m, shrinkage="ledoit-wolf")


@pytest.mark.parametrize("p", [0.5, -0.5, 1.0, -1.0, 0.3])
def test_spd_power_equals_scipy(xp, p):
    C = _spd(np.random.default_rng(0), 12, 100.0)
    got = xp.to_numpy(la.spd_power(xp.asarray(C), p, reg=0.1))
    np.testing.assert_allclose(got, _reference_power(C, p, 0.1), atol=20 * _tol(xp))


def test_powers_invert_each_other_at_condition_1e12():
    C = _spd(np.random.default_rng(0), 30, 1e12)
    eigen = la.spd_eigen(C)
    root, inverse_root = eigen.power(0.5), eigen.power(-0.5)
    np.testing.assert_allclose(root @ root, C, atol=1e-14)
    # Backward error of the inverse root is eps · condition of the root.
    np.testing.assert_allclose(inverse_root @ root, np.eye(30), atol=1e-8)


def test_negative_power_of_a_singular_matrix_is_that_of_its_range(xp):
    B = np.random.default_rng(0).standard_normal((8, 3))
    C = B @ B.T
    got = xp.to_numpy(la.spd_power(xp.asarray(C), -1.0))
    np.testing.assert_allclose(got, np.linalg.pinv(C), atol=50 * _tol(xp))


def test_rounding_noise_below_zero_is_clipped_and_true_negatives_refused():
    C = np.diag([1.0, 1e-3, -1e-17])
    assert la.spd_eigen(C).values[0] == 0
    with pytest.raises(ValueError, match="not positive semi-definite"):
        la.spd_eigen(np.diag([1.0, -0.5]))


def test_whitened_rows_have_identity_covariance(xp):
    X = xp.asarray(np.random.default_rng(0).standard_normal((80, 4)) @ np.diag([1.0, 2, 3, 4]) + 7)
    m = cov.moments(X)
    W = la.whiten(X, m.mean, la.spd_eigen(cov.covariance_from_moments(m)))
    np.testing.assert_allclose(xp.to_numpy(cov.covariance(W)), np.eye(4), atol=10 * _tol(xp))


@pytest.mark.parametrize("p", [0.5, -0.5, -1.0, 0.25])
@pytest.mark.parametrize("reg", [1.0, 1e-6])
def test_low_rank_power_equals_the_dense_one(xp, p, reg):
    if xp.dtype == "float32" and reg < 1e-3:
        pytest.skip("beyond single precision")
    rng = np.random.default_rng(0)
    F, X = rng.standard_normal((6, 40)), rng.standard_normal((9, 40))
    low = la.low_rank_power(xp.asarray(F @ F.T), p, reg=reg)
    got = xp.to_numpy(low.apply(xp.asarray(X), xp.asarray(F)))
    expected = X @ _reference_power(F.T @ F, p, reg)
    np.testing.assert_allclose(got, expected, atol=20 * _tol(xp) * max(1, reg**p))


@pytest.mark.parametrize("p", [0.5, -0.5, -1.0])
def test_low_rank_power_without_reg_is_the_pseudo_power(p):
    F = np.random.default_rng(0).standard_normal((5, 20))
    F[4] = F[3]  # a repeated row: the Gram matrix is singular
    w, V = linalg.eigh(F.T @ F)
    keep = w > 1e-10
    expected = (V[:, keep] * w[keep] ** p) @ V[:, keep].T
    low = la.low_rank_power(F @ F.T, p)
    np.testing.assert_allclose(low.apply(np.eye(20), F), expected, atol=1e-10)


@pytest.mark.parametrize("reg", [1e-6, 1.0, 1e6])
def test_low_rank_roots_do_not_cancel(reg):
    s = np.geomspace(1e-6, 1e6, 13)  # condition 1e12
    minus, plus = la.low_rank_powers(np.diag(s), (-0.5, 0.5), reg=reg)
    s_, reg_ = s.astype(np.longdouble), np.longdouble(reg)
    for low, p in ((minus, -0.5), (plus, 0.5)):
        exact = ((s_ + reg_) ** p - reg_**p) / s_
        # The noise floor of the reference itself is eps(longdouble) · reg^p / s.
        np.testing.assert_allclose(np.diag(low.core), exact.astype(float), rtol=1e-6)


def test_low_rank_power_takes_sparse_rows():
    F = sparse.random(20, 300, density=0.05, format="csr", random_state=0)
    low = la.low_rank_power((F @ F.T).toarray(), -0.5, reg=0.1)
    dense = F.toarray()
    np.testing.assert_allclose(
        low.apply(dense, dense), dense @ _reference_power(dense.T @ dense, -0.5, 0.1), atol=1e-10
    )


@pytest.mark.parametrize("which", ["largest", "smallest"])
@pytest.mark.parametrize("n, k", [(50, 3), (400, 7), (400, 1), (300, 120)])
def test_top_eigenpairs_equal_the_dense_ones(xp, which, n, k):
    rng = np.random.default_rng(n + k)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    spectrum = np.linspace(-1, 1, n) ** 3
    A = (Q * spectrum) @ Q.T
    A = (A + A.T) / 2
    values, vectors = la.top_eigenpairs(xp.asarray(A), k, which=which)
    w, V = linalg.eigh(A)
    if which == "largest":
        w, V = w[::-1], V[:, ::-1]
    np.testing.assert_allclose(
        xp.to_numpy(values), w[:k], atol=5e-5 if xp.dtype == "float32" else 1e-12
    )
    angle = linalg.subspace_angles(np.float64(xp.to_numpy(vectors)), V[:, :k]).max()
    assert angle < (5e-3 if xp.dtype == "float32" else 1e-7)


def test_top_eigenpairs_of_a_function_need_no_matrix():
    diagonal = np.linspace(0, 1, 5000) ** 20
    values, _ = la.top_eigenpairs(
        lambda V: V * diagonal[:, None], 5, n=5000, like=np.empty(0), random_state=1
    )
    np.testing.assert_allclose(values, diagonal[::-1][:5], atol=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_top_eigenpairs_resolve_condition_1e12_and_low_rank(decay):
    n, rank = 500, 8
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((n, rank)))
    w = np.geomspace(1, 1e-12, rank) if decay == 0.5 else decay ** np.arange(rank)
    A = (Q * w) @ Q.T
    values, vectors = la.top_eigenpairs(A, 12)  # more than the rank
    np.testing.assert_allclose(values[:rank], w, rtol=0, atol=1e-14)
    np.testing.assert_allclose(values[rank:], 0, atol=1e-14)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(12), atol=1e-12)


def test_top_eigenpairs_of_equal_eigenvalues_span_the_eigenspace():
    n = 600
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))
    w = np.r_[np.ones(20), np.linspace(0.5, 0, n - 20)]
    values, vectors = la.top_eigenpairs((Q * w) @ Q.T, 20)
    np.testing.assert_allclose(values, 1, atol=1e-12)
    assert linalg.subspace_angles(vectors, Q[:, :20]).max() < 1e-7


def test_top_eigenpairs_of_zero_and_identity_return_orthonormal_vectors():
    for A in (np.zeros((300, 300)), np.eye(300)):
        values, vectors = la.top_eigenpairs(A, 4)
        np.testing.assert_allclose(values, A[0, 0], atol=1e-14)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-12)


def test_warm_start_saves_products():
    n = 800
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))
    A = (Q * np.linspace(0, 1, n) ** 4) @ Q.T
    calls = []

    def apply(V):
        calls.append(V.shape[1])
        return A @ V

    _, V = la.top_eigenpairs(apply, 10, n=n, like=A)
    cold, calls[:] = sum(calls), []
    la.top_eigenpairs(apply, 10, n=n, like=A, start=V, tol=1e-8)
    assert sum(calls) < cold / 2


def test_spare_vectors_come_after_the_wanted_ones():
    A = _spd(np.random.default_rng(0), 400)
    values, vectors = la.top_eigenpairs(A, 5, spare=3)
    assert values.shape == (5,)
    assert vectors.shape == (400, 8)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(8), atol=1e-12)
    np.testing.assert_allclose(vectors[:, :5], la.top_eigenpairs(A, 5)[1], atol=1e-9)


def test_too_few_iterations_warn_with_the_residual():
    A = np.diag(np.linspace(0, 1, 1000))
    with pytest.warns(ConvergenceWarning, match="residual"):
        la.top_eigenpairs(A, 5, max_iter=2)


def test_signs_are_fixed(xp):
    A = _spd(np.random.default_rng(0), 30)
    _, V = la.top_eigenpairs(xp.asarray(A), 5)
    V = xp.to_numpy(V)
    assert (V[np.abs(V).argmax(0), range(5)] > 0).all()


@pytest.mark.parametrize("k", [0, 11])
def test_number_of_pairs_is_checked(k):
    with pytest.raises(ValueError, match="k must be between 1 and the size"):
        la.top_eigenpairs(np.eye(10), k)


def test_single_precision_stays(xp):
    X = xp.asarray(np.random.default_rng(0).standard_normal((400, 300)))
    results = [
        cov.covariance(X, shrinkage="oas"),
        la.spd_power(X.T @ X, -0.5, reg=1.0),
        la.low_rank_power(X.T @ X, -0.5, reg=1.0).core,
        *la.top_eigenpairs(X.T @ X, 3),
    ]
    with warnings.catch_warnings():
        assert all(r.dtype == X.dtype for r in results)


def test_symmetric_matrix_times_a_vector(xp):
    rng = np.random.default_rng(0)
    A, x = _spd(rng, 30), rng.standard_normal(30)
    for matrix in (xp.asarray(A), xp.asarray(A).T):
        found = la.symmetric_times(matrix, xp.asarray(x))
        assert found.dtype == xp.asarray(x).dtype
        np.testing.assert_allclose(xp.to_numpy(found), A @ x, atol=_tol(xp))
