"""JDA against SciPy's dense generalized eigenproblem, and on the shift it is made for."""

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from skda import JDATransformer, TCATransformer
from skda._numerics._kernels import kernel_matrix


def shifted_blobs(seed, n=120, d=8, classes=3):
    """Classes apart, and the target moved by more than their distance along one axis."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, d)) * 3
    y = rng.integers(0, classes, 2 * n)
    X = centers[y] + rng.normal(size=(2 * n, d))
    ids = rng.permutation(np.repeat([1, -2], n))
    move = rng.normal(size=d)
    X[ids < 0] += 8 * move / np.linalg.norm(move)
    return X, y, ids


def joint_matrix(ids, y, pseudo, balance=0.5):
    """The matrix M as the authors' code builds it."""
    source, target = ids > 0, ids < 0

    def outer(a, b):
        e = np.where(a, 1 / max(a.sum(), 1), 0.0) - np.where(b, 1 / max(b.sum(), 1), 0.0)
        return np.outer(e, e) if a.any() and b.any() else 0.0

    classes = np.unique(y[source])
    M = (1 - balance) * len(classes) * outer(source, target)
    for c in classes:
        M = M + balance * outer(source & (y == c), target & (pseudo == c))
    return M / np.linalg.norm(M)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly"])
@pytest.mark.parametrize("balance", [0.5, 0.9])
def test_jda_solves_the_dense_generalised_eigenproblem(kernel, balance, seed):
    X, y, ids = shifted_blobs(seed)
    X = X / 10  # for SciPy's sake: KMK in the pencil it factors grows with the fourth power
    jda = JDATransformer(3, kernel=kernel, degree=2, reg=0.5, balance=balance)
    jda.fit(X, y, sample_domain=ids)
    pseudo = np.full(len(y), -1)
    pseudo[ids < 0] = jda.pseudo_labels_
    K = kernel_matrix(X, kernel=kernel, gamma=jda.gamma_, degree=2)
    H = np.eye(len(K)) - 1 / len(K)
    B = K @ joint_matrix(ids, y, pseudo, balance) @ K + 0.5 * np.eye(len(K))
    values, W = eigh(K @ H @ K, B)
    np.testing.assert_allclose(jda.eigenvalues_, values[::-1][:3], rtol=1e-10)
    Z = jda.transform(X, sample_domain=ids)
    assert subspace_angles(Z, K @ W[:, ::-1][:, :3]).max() < 1e-6
    np.testing.assert_allclose(Z.std(0), (K @ W[:, ::-1][:, :3]).std(0), rtol=1e-6)


def test_first_round_is_tca_with_a_normalized_discrepancy():
    X, y, ids = shifted_blobs(0)
    jda = JDATransformer(3, reg=1.0, max_iter=1).fit(X, y, sample_domain=ids)
    mu = 1 / (ids > 0).sum() + 1 / (ids < 0).sum()
    tca = TCATransformer(3, reg=mu, kernel="rbf").fit(X, sample_domain=ids)
    Z = tca.transform(X) * mu**0.5
    np.testing.assert_allclose(jda.transform(X), Z, atol=1e-8)
    assert jda.pseudo_labels_ is None


def test_balance_zero_never_uses_the_pseudo_labels():
    X, y, ids = shifted_blobs(0)
    one = JDATransformer(3, max_iter=1).fit(X, y, sample_domain=ids)
    more = JDATransformer(3, balance=0.0).fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(more.transform(X), one.transform(X), atol=1e-8)


def test_pseudo_labels_come_from_the_nearest_source_row_or_the_given_classifier():
    X, y, ids = shifted_blobs(1)
    own = JDATransformer(3).fit(X, y, sample_domain=ids)
    same = JDATransformer(3, estimator=KNeighborsClassifier(1)).fit(X, y, sample_domain=ids)
    np.testing.assert_array_equal(own.pseudo_labels_, same.pseudo_labels_)
    np.testing.assert_allclose(own.transform(X), same.transform(X), atol=1e-10)
    other = JDATransformer(3, estimator=SVC()).fit(X, y, sample_domain=ids)
    assert set(other.pseudo_labels_) <= set(y)


def test_a_class_without_pseudo_labeled_rows_contributes_nothing():
    X, y, ids = shifted_blobs(0)
    keep = (ids > 0) | (y != 2)  # the target lacks class 2
    jda = JDATransformer(3).fit(X[keep], y[keep], sample_domain=ids[keep])
    assert np.isfinite(jda.transform(X)).all()


def test_classes_with_equal_shares_are_no_trouble():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 40)  # M_0 is then a combination of the M_c
    X = rng.normal(size=(120, 3)) + 5 * np.eye(3)[y]
    jda = JDATransformer(2).fit(
        np.vstack([X, X + 1]), np.r_[y, y], sample_domain=np.repeat([1, -2], 120)
    )
    np.testing.assert_array_equal(jda.pseudo_labels_, y)


def test_labels_come_back_in_their_own_type():
    X, y, ids = shifted_blobs(0)
    names = np.array(["x", "y", "z"])[y]
    jda = JDATransformer(3).fit(X, names, sample_domain=ids)
    assert jda.classes_.tolist() == ["x", "y", "z"]
    assert set(jda.pseudo_labels_) <= {"x", "y", "z"}


def test_jda_recovers_moved_classes():
    plain, adapted, off = [], [], []
    for seed in range(5):
        X, y, ids = shifted_blobs(seed)
        source, target = ids > 0, ids < 0

        def score(Z, y=y, source=source, target=target):
            return KNeighborsClassifier(1).fit(Z[source], y[source]).score(Z[target], y[target])

        plain.append(score(X))
        jda = JDATransformer(5)
        adapted.append(score(jda.fit(X, y, sample_domain=ids).transform(X)))
        jda.set_params(reg=1e12)  # sabotage: nothing is adapted
        off.append(score(jda.fit(X, y, sample_domain=ids).transform(X)))
    assert np.mean(adapted) > 0.95
    assert np.mean(adapted) > np.mean(plain) + 0.1
    assert np.mean(adapted) > np.mean(off) + 0.1


@pytest.mark.parametrize("params", [{"reg": 0}, {"balance": 1.2}, {"max_iter": 0}])
def test_bad_parameters_raise(params):
    X, y, ids = shifted_blobs(0)
    with pytest.raises(ValueError, match=next(iter(params))):
        JDATransformer(**params).fit(X, y, sample_domain=ids)


@pytest.mark.parametrize("solver, n_basis, rtol", [("nystroem", 240, 1e-6), ("fourier", 1000, 0.3)])
def test_explicit_features_approach_the_exact_components(solver, n_basis, rtol):
    X, y, ids = shifted_blobs(0, d=2)
    exact = JDATransformer(2, gamma=0.02).fit(X, y, sample_domain=ids)
    near = JDATransformer(2, gamma=0.02, solver=solver, n_basis=n_basis, random_state=0)
    near.fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(near.eigenvalues_, exact.eigenvalues_, rtol=rtol)
    assert np.mean(near.pseudo_labels_ == exact.pseudo_labels_) > 0.9
    assert near.transform(X).shape == (240, 2)
    assert near._order_dependent == (solver == "nystroem")


def test_the_nearest_source_rows_are_found_in_tiles(monkeypatch):
    from skda._numerics import _kernels
    from skda.feature_based import _base_spectral

    X, y, ids = shifted_blobs(0)
    source, target = np.flatnonzero(ids > 0), np.flatnonzero(ids < 0)
    tiles = []

    def small_tiles(n_rows, row_bytes):
        tiles.extend(slice(i, min(i + 7, n_rows)) for i in range(0, n_rows, 7))
        return tiles

    monkeypatch.setattr(_kernels, "row_tiles", small_tiles)
    found = _base_spectral.nearest_codes(X, source, y, target)
    expected = KNeighborsClassifier(1).fit(X[source], y[source]).predict(X[target])
    np.testing.assert_array_equal(found, expected)
    assert len(tiles) > 10
