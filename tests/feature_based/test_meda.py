"""MEDA against the equations of its paper, written out densely."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from skda import MEDAClassifier
from skda._numerics._graph import knn_affinity, knn_laplacian
from skda.feature_based._meda import estimate_balance, proxy_distance


def shifted(seed=0, n=80, d=6, classes=3):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, d)) * 2.5
    y = rng.integers(0, classes, 2 * n)
    X = centers[y] + rng.normal(size=(2 * n, d)) * 0.8
    ids = rng.permutation(np.repeat([1, -2], n))
    turn, _ = np.linalg.qr(np.eye(d) + 0.4 * rng.normal(size=(d, d)))
    X[ids < 0] = X[ids < 0] @ (turn * np.sign(np.diag(turn)))
    return X, y, ids


@pytest.mark.parametrize("balance", [0.0, 0.3, 1.0])
def test_coefficients_solve_the_papers_equation(balance):
    X, y, ids = shifted()
    meda = MEDAClassifier(3, balance=balance, max_iter=50).fit(X, y, sample_domain=ids)
    assert meda.n_iter_ < 50  # pseudo-labels no longer change
    Z = X @ meda.factor_
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    K = rbf_kernel(Z, gamma=0.5)
    source, target = ids > 0, ids < 0
    pseudo = np.full(len(y), -1)
    pseudo[target] = meda.pseudo_labels_

    def outer(a, b):
        e = np.where(a, 1 / max(a.sum(), 1), 0.0) - np.where(b, 1 / max(b.sum(), 1), 0.0)
        return np.outer(e, e) if a.any() and b.any() else 0.0

    M = (1 - balance) * 3 * outer(source, target)
    M = M + balance * sum(outer(source & (y == c), target & (pseudo == c)) for c in range(3))
    M /= np.linalg.norm(M)
    L = knn_laplacian(Z, n_neighbors=10, metric="cosine", normalized=True)
    A = np.diag(source.astype(float))
    Y = np.eye(3)[y]
    left = (A + 10 * M + L) @ K + 0.1 * np.eye(len(K))
    np.testing.assert_allclose(meda.dual_coef_, np.linalg.solve(left, A @ Y), atol=1e-8)
    np.testing.assert_allclose(meda.decision_function(X), K @ meda.dual_coef_, atol=1e-8)


def test_the_graph_joins_rows_that_are_neighbors_of_either():
    X = np.random.default_rng(0).normal(size=(30, 4))
    W = knn_affinity(X, n_neighbors=3, metric="cosine").toarray()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    near = cosine >= np.sort(cosine, axis=1)[:, [-3]]
    np.testing.assert_allclose(W, np.where(near | near.T, np.clip(cosine, 0, None), 0), atol=1e-12)
    L = knn_laplacian(X, n_neighbors=3)
    np.testing.assert_allclose(L.sum(axis=1), 0, atol=1e-12)
    assert np.linalg.eigvalsh(L).min() > -1e-12


def test_proxy_distance_is_that_of_a_leave_one_out_ridge_classifier():
    X, side = make_classification(60, 5, class_sep=0.3, random_state=0)
    A, B = X[side == 0][:25], X[side == 1][:25]
    rows = np.vstack([A, B])
    rows = rows - rows.mean(axis=0)
    labels = np.repeat([1, -1], 25)
    alpha = 1e-3 * np.trace(np.c_[rows, np.ones(50)].T @ np.c_[rows, np.ones(50)] / 50) / 6 * 50
    ridge = RidgeClassifier(alpha=alpha, fit_intercept=False)
    guessed = cross_val_predict(ridge, np.c_[rows, np.ones(50)], labels, cv=LeaveOneOut())
    expected = max(0, 2 * (1 - 2 * np.mean(guessed != labels)))
    assert proxy_distance(A, B) == pytest.approx(expected, abs=1e-9)


def test_balance_follows_where_the_shift_is():
    rng = np.random.default_rng(0)
    y, ids = np.tile([0, 1], 100), np.repeat([1, -2], 100)
    codes = np.where(ids > 0, y, -1)
    Z = rng.normal(size=(200, 4))
    whole = Z.copy()
    whole[ids < 0] += 5
    pseudo = np.where(ids < 0, y, -1)
    assert estimate_balance(whole, ids, codes, pseudo) == pytest.approx(0.5, abs=0.05)
    within = Z.copy()
    within[ids < 0] += 5 * np.where(y[ids < 0] == 0, 1, -1)[:, None]  # opposite moves cancel
    assert estimate_balance(within, ids, codes, pseudo) > 0.9


def test_meda_beats_the_nearest_neighbor_and_itself_unaligned():
    plain, adapted, off = [], [], []
    for seed in range(5):
        X, y, ids = shifted(seed)
        source, target = ids > 0, ids < 0
        nearest = KNeighborsClassifier(1).fit(X[source], y[source])
        plain.append(nearest.score(X[target], y[target]))
        meda = MEDAClassifier(3).fit(X, y, sample_domain=ids)
        adapted.append(meda.score(X[target], y[target]))
        meda.set_params(alignment_weight=0, manifold_weight=0)  # sabotage
        off.append(meda.fit(X, y, sample_domain=ids).score(X[target], y[target]))
    assert np.mean(adapted) > np.mean(plain) + 0.05
    assert np.mean(adapted) > np.mean(off) + 0.05


def test_probabilities_are_shares():
    X, y, ids = shifted()
    meda = MEDAClassifier(3).fit(X, y, sample_domain=ids)
    P = meda.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_array_equal(meda.classes_[P.argmax(axis=1)], meda.predict(X))


@pytest.mark.parametrize(
    "params", [{"gamma": 0}, {"reg": 0}, {"balance": 2}, {"balance": "best"}, {"n_neighbors": 0}]
)
def test_bad_parameters_raise(params):
    X, y, ids = shifted()
    with pytest.raises(ValueError, match=next(iter(params))):
        MEDAClassifier(**params).fit(X, y, sample_domain=ids)


def test_a_single_feature_is_refused():
    X, y, ids = np.arange(20.0)[:, None], np.tile([0, 1], 10), np.repeat([1, -2], 10)
    with pytest.raises(ValueError, match=r"at least 2 features.*got 1 feature\(s\)"):
        MEDAClassifier().fit(X, y, sample_domain=ids)


def test_all_rows_as_landmarks_give_the_exact_classifier():
    X, y, ids = shifted()
    same = {"balance": 0.3, "max_iter": 20}
    exact = MEDAClassifier(3, **same).fit(X, y, sample_domain=ids)
    near = MEDAClassifier(3, solver="nystroem", n_basis=160, random_state=0, **same)
    near.fit(X, y, sample_domain=ids)
    np.testing.assert_array_equal(near.pseudo_labels_, exact.pseudo_labels_)
    expected = exact.decision_function(X)
    # Both minimize the same function, up to directions in which the kernel has no extent.
    assert np.abs(near.decision_function(X) - expected).max() < 0.02 * np.abs(expected).max()
    assert near._order_dependent and not exact._order_dependent


def test_few_landmarks_are_nearly_as_good_and_keep_no_row_but_them():
    X, y, ids = shifted(n=200)
    exact = MEDAClassifier(3).fit(X, y, sample_domain=ids)
    near = MEDAClassifier(3, solver="nystroem", n_basis=60, random_state=0)
    near.fit(X, y, sample_domain=ids)
    assert near.basis_.shape[0] == 60 == near.dual_coef_.shape[0]
    target = ids < 0
    assert near.score(X[target], y[target]) > exact.score(X[target], y[target]) - 0.02
