"""KernelManifoldAlignmentTransformer: the published eigenproblem, and classes that meet."""

import numpy as np
import pytest
from scipy.linalg import eig
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from skda import KernelManifoldAlignmentTransformer
from skda.feature_based._kernel_manifold_alignment import (
    aligned_directions,
    label_graphs,
    laplacian,
)


def two_tables(seed=0, n=100, n_classes=3, curved=False):
    """Rows of the same classes in three and in four columns of their own."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(2 * n) % n_classes)
    centers = np.array([[0.0, 0.0], [5.0, 1.0], [2.0, 6.0]])
    latent = centers[y] + rng.normal(size=(2 * n, 2))
    X = np.full((2 * n, 7), np.nan)
    one, other = latent[:n] @ rng.normal(size=(2, 3)), latent[n:] @ rng.normal(size=(2, 4))
    if curved:
        other = np.sinh(other / other.std())
    X[:n, :3] = StandardScaler().fit_transform(one)
    X[n:, 3:] = StandardScaler().fit_transform(other)
    return X, y, np.repeat([1, -2], n)


def test_graphs_join_rows_with_labels_only():
    same, other = label_graphs(np.array([0, 0, 1, -1]))
    assert same[0].tolist() == [1, 1, 0, 0] and same[3].tolist() == [0, 0, 0, 0]
    assert other[0].tolist() == [0, 0, 1, 0] and other[2].tolist() == [1, 1, 0, 0]
    L = laplacian(same)
    np.testing.assert_allclose(L.sum(axis=1), 0.0)
    v = np.random.default_rng(0).normal(size=4)
    assert v @ L @ v == pytest.approx(0.5 * (same * (v[:, None] - v) ** 2).sum())


def test_the_directions_solve_the_published_problem():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(12, 12))
    K = A @ A.T
    codes = np.arange(12) % 3
    codes[6:] = -1
    W = rng.integers(0, 2, size=(12, 12)).astype(float)
    W = np.maximum(W, W.T)
    np.fill_diagonal(W, 0)
    same, other = label_graphs(codes)
    V = aligned_directions(K, W, same, other, 2, mu=3.0)
    L, Ls, Ld = (laplacian(G / G.sum()) for G in (W, same, other))
    kept = K @ (L + 3.0 * Ls) @ K
    kept += 1e-6 * np.trace(kept) / 12 * np.eye(12)
    values, vectors = eig(K @ Ld @ K, kept)
    for k, j in enumerate(np.argsort(-values.real)[:2]):
        cosine = abs(V[:, k] @ vectors[:, j].real) / np.linalg.norm(V[:, k])
        assert cosine == pytest.approx(np.linalg.norm(vectors[:, j].real), rel=1e-6)


def accuracy(estimator, n_labeled, seed, curved=False):
    X, y, d = two_tables(seed, curved=curved)
    known = np.where(np.arange(200) < 100 + n_labeled, y, -1)
    Z = estimator.fit_transform(X, known, sample_domain=d)
    model = KNeighborsClassifier().fit(Z[:100], y[:100])
    return model.score(Z[100 + n_labeled :], y[100 + n_labeled :])


def test_classes_meet_by_a_few_labels():
    aligner = KernelManifoldAlignmentTransformer()
    assert np.mean([accuracy(aligner, 12, seed) for seed in range(5)]) > 0.9


def test_without_the_labels_terms_classes_do_not_meet(monkeypatch):
    def nothing(codes):
        same, other = label_graphs(codes)
        return 0 * same, np.random.default_rng(0).permutation(other)

    name = "skda.feature_based._kernel_manifold_alignment.label_graphs"
    monkeypatch.setattr(name, nothing)
    aligner = KernelManifoldAlignmentTransformer()
    assert np.mean([accuracy(aligner, 12, seed) for seed in range(5)]) < 0.75


def test_a_kernel_follows_what_is_curved():
    found = {
        kernel: np.mean(
            [
                accuracy(
                    KernelManifoldAlignmentTransformer(kernel=kernel, gamma=None, n_neighbors=5),
                    30,
                    seed,
                    curved=True,
                )
                for seed in range(5)
            ]
        )
        for kernel in ("linear", "rbf")
    }
    assert found["rbf"] > 0.85


def test_components_have_unit_spread_and_are_as_many_as_asked():
    X, y, d = two_tables()
    aligner = KernelManifoldAlignmentTransformer(mu=2.0)
    assert aligner.fit_transform(X, y, sample_domain=d).shape == (200, 2)
    Z = KernelManifoldAlignmentTransformer(1).fit_transform(X, y, sample_domain=d)
    assert Z.shape == (200, 1) and Z.std() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n_components": 0}, "n_components must be"),
        ({"kernel": "cosine"}, "kernel must be one of"),
        ({"gamma": -1.0}, "gamma must be"),
        ({"mu": -1.0}, "mu must be"),
        ({"n_neighbors": 0}, "n_neighbors must be"),
    ],
)
def test_bad_parameters_are_named(params, words):
    X, y, d = two_tables(n=20)
    with pytest.raises(ValueError, match=words):
        KernelManifoldAlignmentTransformer(**params).fit(X, y, sample_domain=d)


def test_missing_labels_and_gaps_are_refused():
    X, y, d = two_tables(n=20)
    aligner = KernelManifoldAlignmentTransformer()
    with pytest.raises(ValueError, match="no target row has one"):
        aligner.fit(X, np.where(d > 0, y, -1), sample_domain=d)
    with pytest.raises(ValueError, match="one class only"):
        aligner.fit(X, np.zeros(40, dtype=int), sample_domain=d)
    fitted = aligner.fit(X, y, sample_domain=d)
    gap = X[d < 0][:1].copy()
    gap[0, 4] = np.nan
    with pytest.raises(ValueError, match="Rows must have values in the columns"):
        fitted.transform(gap)


def test_a_kernel_that_does_not_fit_is_refused_beforehand(monkeypatch):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.tile([0, 1], 20)
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match=r"the kernel and the graphs of 40 rows.*sample"):
        KernelManifoldAlignmentTransformer().fit(X, y, sample_domain=np.repeat([1, -2], 20))
