"""TCA against SciPy's dense generalized eigenproblem, and on the shift it is made for."""

import warnings

import numpy as np
import pytest
import sklearn
from scipy.linalg import eigh, subspace_angles
from sklearn.linear_model import LogisticRegression

from skda import TCATransformer
from skda._numerics._graph import knn_laplacian
from skda._numerics._kernels import kernel_matrix


def two_domains(seed, n=90, m=70, d=6):
    """Interleaved domains of different mean and covariance."""
    rng = np.random.default_rng(seed)
    X = np.vstack([rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 1.5 + 0.7])
    ids = np.repeat([1, -2], [n, m])
    order = rng.permutation(n + m)
    return X[order], ids[order]


def shifted_classes(seed, n=100):
    """The class shows in one feature; a much larger one says which domain a row is from.

    On source rows the large feature also goes with the class, which misleads.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    target = np.arange(2 * n) >= n
    X = rng.normal(size=(2 * n, 5)) * 0.5
    X[:, 0] += 3 * y
    X[:, 1] += np.where(target, 10.0, 1.5 * y)
    order = rng.permutation(2 * n)
    return X[order], y[order], np.where(target, -2, 1)[order]


def accuracy(transformer, X, y, ids):
    Z = transformer.fit(X, y, sample_domain=ids).transform(X, sample_domain=ids)
    model = LogisticRegression().fit(Z[ids > 0], y[ids > 0])
    return model.score(Z[ids < 0], y[ids < 0])


def dense_solution(K, ids, k, mu, *, A=None, B=0.0):
    n = len(K)
    e = np.where(ids > 0, 1 / (ids > 0).sum(), -1 / (ids < 0).sum())
    H = np.eye(n) - 1 / n
    A = K @ H @ K if A is None else A
    values, vectors = eigh(A, K @ np.outer(e, e) @ K + mu * np.eye(n) + B)
    return values[::-1][:k], vectors[:, ::-1][:, :k]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", "laplacian"])
@pytest.mark.parametrize("mu", [0.01, 1.0])
def test_tca_solves_the_dense_generalised_eigenproblem(kernel, mu, seed):
    X, ids = two_domains(seed, n=150, m=130)
    tca = TCATransformer(4, kernel=kernel, degree=2, reg=mu).fit(X, sample_domain=ids)
    K = kernel_matrix(X, kernel=kernel, gamma=tca.gamma_, degree=2)
    values, W = dense_solution(K, ids, 4, mu)
    np.testing.assert_allclose(tca.eigenvalues_, values, rtol=1e-10)
    Z = tca.transform(X, sample_domain=ids)
    assert subspace_angles(Z, K @ W).max() < 1e-6
    # Not only the space: each component up to its sign, on the scale of WᵀBW = I.
    np.testing.assert_allclose(np.abs(Z), np.abs(K @ W), atol=1e-7 * np.abs(Z).max())


def test_tca_constraint_holds():
    X, ids = two_domains(0)
    tca = TCATransformer(5, reg=0.3, kernel="rbf").fit(X, sample_domain=ids)
    K = kernel_matrix(X, gamma=tca.gamma_)
    e = np.where(ids > 0, 1 / (ids > 0).sum(), -1 / (ids < 0).sum())
    W, b = tca.coef_, K @ e
    B = np.outer(b, b) + 0.3 * np.eye(len(K))
    np.testing.assert_allclose(W.T @ B @ W, np.eye(5), atol=1e-10)


def test_smaller_mu_leaves_a_smaller_gap_between_the_domains():
    X, ids = two_domains(0)
    gaps = []
    for mu in (100.0, 1.0, 0.01):
        Z = TCATransformer(3, reg=mu, kernel="rbf").fit_transform(X, sample_domain=ids)
        gaps.append((np.abs(Z[ids > 0].mean(0) - Z[ids < 0].mean(0)) / Z.std(0)).max())
    assert gaps[0] > gaps[1] > 4 * gaps[2]


def test_tca_works_on_every_backend(xp):
    X, ids = two_domains(1)
    host = TCATransformer(3, kernel="rbf").fit(X, sample_domain=ids)
    there = TCATransformer(3, kernel="rbf").fit(xp.asarray(X), sample_domain=ids)
    tol = 1e-2 if xp.dtype == "float32" else 1e-7
    Z = xp.to_numpy(there.transform(xp.asarray(X), sample_domain=ids))
    np.testing.assert_allclose(Z, host.transform(X, sample_domain=ids), atol=tol)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_label_dependent_components_solve_their_eigenproblem(kernel):
    X, ids = two_domains(0)
    y = (X[:, 0] > 0).astype(int)
    tca = TCATransformer(3, kernel=kernel, reg=1.0, label_weight=0.6).fit(X, y, sample_domain=ids)
    K = kernel_matrix(X, kernel=kernel, gamma=tca.gamma_)
    H = np.eye(len(K)) - 1 / len(K)
    same = (y[:, None] == y) & (ids[:, None] > 0) & (ids > 0)
    A = K @ H @ (0.6 * same + 0.4 * np.eye(len(K))) @ H @ K
    values, _ = dense_solution(K, ids, 3, 1.0, A=A)
    np.testing.assert_allclose(tca.eigenvalues_, values, rtol=1e-10)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_manifold_penalty_solves_its_eigenproblem(kernel):
    X, ids = two_domains(0)
    n = len(X)
    tca = TCATransformer(3, kernel=kernel, reg=1.0, manifold_weight=50.0).fit(X, sample_domain=ids)
    K = kernel_matrix(X, kernel=kernel, gamma=tca.gamma_)
    B = K @ knn_laplacian(X, n_neighbors=10) @ K * 50 / n**2
    values, _ = dense_solution(K, ids, 3, 1.0, B=B)
    np.testing.assert_allclose(tca.eigenvalues_, values, rtol=1e-9)


def test_labels_pull_apart_classes_that_components_alone_do_not():
    X, y, ids = shifted_classes(0)
    X[:, 2] *= 8  # a large direction without a class

    def separation(transformer):
        Z = transformer.fit(X, y, sample_domain=ids).transform(X)
        return abs(Z[y == 0].mean() - Z[y == 1].mean()) / Z.std()

    plain = separation(TCATransformer(1, kernel="linear", reg=0.1))
    guided = separation(TCATransformer(1, kernel="linear", reg=0.1, label_weight=0.99))
    assert guided > 2 * plain


def test_precomputed_kernel_equals_the_kernel():
    X, ids = two_domains(0)
    tca = TCATransformer(3, gamma=0.1, kernel="rbf").fit(X, sample_domain=ids)
    K = kernel_matrix(X, gamma=0.1)
    other = TCATransformer(3, kernel="precomputed").fit(K, sample_domain=ids)
    new = np.random.default_rng(0).normal(size=(8, 6))
    expected = tca.transform(new)
    np.testing.assert_allclose(
        other.transform(kernel_matrix(new, X, gamma=0.1)), expected, atol=1e-9
    )
    called = TCATransformer(3, kernel=lambda A, B: kernel_matrix(A, B, gamma=0.1))
    np.testing.assert_allclose(called.fit(X, sample_domain=ids).transform(new), expected, atol=1e-9)
    with pytest.raises(ValueError, match="square kernel matrix"):
        other.fit(K[:, :-1], sample_domain=ids)


@pytest.mark.parametrize("solver, rtol", [("nystroem", 1e-6), ("fourier", 0.2)])
def test_explicit_features_approach_the_exact_components(solver, rtol):
    X, ids = two_domains(0)
    X = X[:, :2]
    exact = TCATransformer(2, gamma=0.02, kernel="rbf").fit(X, sample_domain=ids)
    approximate = TCATransformer(
        2, gamma=0.02, solver=solver, n_basis=160, random_state=0, kernel="rbf"
    )
    approximate.fit(X, sample_domain=ids)
    np.testing.assert_allclose(approximate.eigenvalues_, exact.eigenvalues_, rtol=rtol)
    assert approximate.transform(X).shape == (160, 2)


@pytest.mark.parametrize("kernel, solver", [("linear", "exact"), ("rbf", "nystroem")])
def test_features_recomputed_for_each_use_give_the_same_components(kernel, solver):
    X, ids = two_domains(0, n=60_000, m=60_000)
    tca = TCATransformer(2, kernel=kernel, gamma=0.1, solver=solver, n_basis=20, random_state=0)
    kept = tca.fit(X, sample_domain=ids).coef_
    with sklearn.config_context(working_memory=4):  # in MiB: less than the features take
        recomputed = tca.fit(X, sample_domain=ids).coef_
    np.testing.assert_allclose(recomputed, kept, atol=1e-8 * np.abs(kept).max())


def test_rotating_the_rows_changes_nothing_for_rbf():
    X, ids = two_domains(0)
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    Z = TCATransformer(3, kernel="rbf").fit_transform(X, sample_domain=ids)
    np.testing.assert_allclose(
        TCATransformer(3, kernel="rbf").fit_transform(X @ Q, sample_domain=ids), Z, atol=1e-8
    )


def test_tca_helps_where_a_marginal_shift_misleads():
    for seed in range(3):
        X, y, ids = shifted_classes(seed)
        source = LogisticRegression().fit(X[ids > 0], y[ids > 0])
        plain = source.score(X[ids < 0], y[ids < 0])
        adapted = accuracy(TCATransformer(2, kernel="linear", reg=0.1), X, y, ids)
        off = accuracy(TCATransformer(2, kernel="linear", reg=1e12), X, y, ids)  # adapts nothing
        assert adapted > 0.9
        assert adapted > plain + 0.2
        assert adapted > off + 0.2


def test_more_components_than_the_rank_warn_and_work():
    X, ids = two_domains(0)
    with pytest.warns(UserWarning, match="only 6 components"):
        tca = TCATransformer(20, kernel="linear", reg=1e-3).fit(X, sample_domain=ids)
    assert tca.transform(X).shape == (160, 6)
    assert tca.n_components_ == 6


def test_none_takes_what_there_is_without_a_word():
    X, ids = two_domains(0)
    tca = TCATransformer(kernel="linear", reg=1e-3).fit(X, sample_domain=ids)
    assert tca.n_components_ == 6


@pytest.mark.parametrize("gamma, fault", [(1e9, "identity"), (1e-18, "constant")])
def test_a_useless_bandwidth_warns(gamma, fault):
    X, ids = two_domains(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Z = TCATransformer(2, gamma=gamma, kernel="rbf").fit_transform(X, sample_domain=ids)
    assert fault in str(caught[0].message)
    assert np.isfinite(Z).all()


@pytest.mark.parametrize(
    "params",
    [
        {"gamma": 0, "kernel": "rbf"},
        {"reg": 0},
        {"reg": -1.0},
        {"n_components": 0},
        {"n_components": 1.5},
        {"kernel": "gauss"},
        {"solver": "dense"},
        {"label_weight": 1.5},
        {"manifold_weight": -1},
        {"n_basis": 0},
        {"solver": "nystroem", "kernel": "precomputed"},
    ],
)
def test_bad_parameters_raise(params):
    X, ids = two_domains(0, n=6, m=6, d=12)
    with pytest.raises(ValueError, match=next(iter(params))):
        TCATransformer(**params).fit(X, np.zeros(12), sample_domain=ids)


def test_identical_domains_and_lopsided_sizes_work():
    X, _ = two_domains(0)
    ids = np.repeat([1, -2], 160)
    Z = TCATransformer(3, kernel="rbf").fit_transform(np.vstack([X, X]), sample_domain=ids)
    np.testing.assert_allclose(Z[:160], Z[160:], atol=1e-8)
    ids = np.where(np.arange(160) < 2, 1, -2)
    assert np.isfinite(TCATransformer(3, kernel="rbf").fit_transform(X, sample_domain=ids)).all()
