"""TJM against its own equations, and on sources with rows that are of no use."""

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles
from sklearn.neighbors import KNeighborsClassifier

from skda import JDATransformer, TJMTransformer
from skda._numerics._kernels import kernel_matrix
from skda.datasets import make_subspace_shift


def two_domains(seed=0, n=60, d=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    ids = rng.permutation(np.repeat([1, -2], n))
    X[ids < 0] += 0.7
    return X, ids


def pieces(tjm, X, ids):
    K = kernel_matrix(X, gamma=tjm.gamma_)
    e = np.where(ids > 0, 1 / (ids > 0).sum(), -1 / (ids < 0).sum())
    e /= np.linalg.norm(e)
    H = np.eye(len(K)) - 1 / len(K)
    return K, K @ np.outer(e, e) @ K, K @ H @ K


def test_first_round_is_jdas():
    X, ids = two_domains()
    tjm = TJMTransformer(3, max_iter=1).fit(X, sample_domain=ids)
    K, M, S = pieces(tjm, X, ids)
    # max_iter=1: row weights from the plain solution, then the components with these.
    jda = JDATransformer(3, max_iter=1, reg=1.0).fit(X, ids > 0, sample_domain=ids)
    A = jda.coef_ / np.sqrt(np.diag(jda.coef_.T @ S @ jda.coef_))
    norms = np.linalg.norm(A, axis=1)
    G = np.where(ids > 0, 1 / (2 * norms), 1.0)
    values, W = eigh(S, M + np.diag(G))
    np.testing.assert_allclose(tjm.eigenvalues_, values[::-1][:3], rtol=1e-5)
    assert subspace_angles(tjm.transform(X), K @ W[:, ::-1][:, :3]).max() < 1e-4


def test_the_rounds_end_where_the_row_weights_reproduce_themselves():
    X, ids = two_domains()
    tjm = TJMTransformer(3, max_iter=300, tol=1e-7).fit(X, sample_domain=ids)
    assert tjm.n_iter_ < 300
    _, M, S = pieces(tjm, X, ids)
    A = tjm.coef_ / np.sqrt(np.diag(tjm.coef_.T @ S @ tjm.coef_))
    norms = np.linalg.norm(A, axis=1)
    np.testing.assert_allclose(tjm.source_norms_, norms[ids > 0], rtol=1e-6)
    G = np.where(ids > 0, 1 / (2 * np.maximum(norms, 1e-12)), 1.0)
    used = (ids < 0) | (norms > 1e-6 * norms.max())
    lhs = (S @ A)[used]
    rhs = ((M + np.diag(G)) @ A * tjm.eigenvalues_)[used]
    np.testing.assert_allclose(lhs, rhs, atol=1e-4 * np.abs(lhs).max())


def test_objective_falls_with_the_rounds():
    X, ids = two_domains()

    def objective(max_iter):
        tjm = TJMTransformer(3, max_iter=max_iter, tol=0).fit(X, sample_domain=ids)
        _, M, S = pieces(tjm, X, ids)
        A = tjm.coef_ / np.sqrt(np.diag(tjm.coef_.T @ S @ tjm.coef_))
        rows = np.linalg.norm(A, axis=1)
        return np.trace(A.T @ M @ A) + rows[ids > 0].sum() + (rows[ids < 0] ** 2).sum()

    values = [objective(m) for m in (1, 2, 5, 20)]
    assert all(np.diff(values) <= 1e-6 * values[0])
    assert values[-1] < 0.999 * values[0]


def test_rows_far_from_every_target_row_get_little_weight():
    X, ids = two_domains()
    odd = np.flatnonzero(ids > 0)[:10]
    # Each alone in its corner: a row that explains nothing but itself.
    X[odd] = 30 * np.random.default_rng(1).normal(size=(10, 4))
    tjm = TJMTransformer(2).fit(X, sample_domain=ids)
    is_odd = np.isin(np.flatnonzero(ids > 0), odd)
    assert tjm.source_norms_[is_odd].max() < 0.1 * np.median(tjm.source_norms_[~is_odd])


def test_first_component_has_unit_variance():
    X, ids = two_domains()
    Z = TJMTransformer(3).fit_transform(X, sample_domain=ids)
    assert Z[:, 0].std() == pytest.approx(1.0)


def test_tjm_brings_the_means_together():
    X, ids = two_domains()

    def gap(reg):
        Z = TJMTransformer(3, reg=reg).fit_transform(X, sample_domain=ids)
        return np.linalg.norm(Z[ids > 0].mean(0) - Z[ids < 0].mean(0))

    before = np.linalg.norm(X[ids > 0].mean(0) - X[ids < 0].mean(0)) / X.std(0)[0]
    assert gap(0.01) < 0.2 * before
    assert gap(1e9) > 0.5 * before  # sabotage: nothing is adapted


@pytest.mark.parametrize("params", [{"reg": 0}, {"max_iter": 0}, {"tol": -1}])
def test_bad_parameters_raise(params):
    X, ids = two_domains()
    with pytest.raises(ValueError, match=next(iter(params))):
        TJMTransformer(**params).fit(X, sample_domain=ids)


@pytest.mark.filterwarnings("ignore:TJMTransformer found only 4 components:UserWarning")
def test_components_beyond_the_rank_do_not_weigh_rows():
    X, ids = two_domains()
    four, many = (TJMTransformer(k, kernel="linear").fit(X, sample_domain=ids) for k in (4, 30))
    assert many.n_components_ == 4
    np.testing.assert_allclose(many.source_norms_, four.source_norms_, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(many.eigenvalues_, four.eigenvalues_, rtol=1e-3)


# 2,400 rows: the fit says what it costs.
@pytest.mark.filterwarnings("ignore:TJMTransformer needs about:skda.DomainWarning")
def test_classes_that_a_shift_mirrors_are_recovered():
    plain, adapted, off = [], [], []
    for seed in range(3):
        X, y, ids = make_subspace_shift(random_state=seed)
        tjm = TJMTransformer(2, kernel="linear", reg=0.1)
        sabotaged = TJMTransformer(2, kernel="linear", reg=1e9)  # nothing is adapted
        for scores, Z in (
            (plain, X),
            (adapted, tjm.fit_transform(X, sample_domain=ids)),
            (off, sabotaged.fit_transform(X, sample_domain=ids)),
        ):
            model = KNeighborsClassifier(1).fit(Z[ids > 0], y[ids > 0])
            scores.append(model.score(Z[ids < 0], y[ids < 0]))
    assert np.mean(adapted) > np.mean(plain) + 0.5
    assert np.mean(adapted) > np.mean(off) + 0.5
