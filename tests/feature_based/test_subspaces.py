"""Subspace alignment and the geodesic flow kernel: definitions, invariants, and their shift."""

import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.linalg import expm, subspace_angles
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from skda import GFKTransformer, SubspaceAlignmentTransformer
from skda.feature_based._gfk import geodesic_flow_factor
from skda.feature_based._subspace_alignment import principal_axes


def rotated_domains(seed, n=150, angle=0.9):
    """Two classes along one axis, turned into another plane in the target."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, 6)) * [3.0, 1.0, 0.1, 0.1, 0.1, 0.1]
    X[:, 1] += 6 * y
    ids = rng.permutation(np.repeat([1, -2], n))
    generator = np.zeros((6, 6))
    generator[1, 0], generator[0, 1] = angle, -angle
    generator[3, 1], generator[1, 3] = angle, -angle
    X[ids < 0] = X[ids < 0] @ expm(generator)
    return X, y, ids


def test_subspace_alignment_is_its_formula():
    X, _, ids = rotated_domains(0)
    Xs, Xt = X[ids > 0], X[ids < 0]
    P_s, P_t = PCA(3).fit(Xs).components_.T, PCA(3).fit(Xt).components_.T
    sa = SubspaceAlignmentTransformer(3).fit(X, sample_domain=ids)
    Zs = sa.transform(Xs, sample_domain=np.ones(len(Xs)))
    expected = (Xs - Xs.mean(0)) @ P_s @ P_s.T @ P_t
    np.testing.assert_allclose(np.abs(Zs), np.abs(expected), atol=1e-10)
    np.testing.assert_allclose(
        np.abs(sa.transform(Xt)), np.abs((Xt - Xt.mean(0)) @ P_t), atol=1e-10
    )
    plain = SubspaceAlignmentTransformer(3, center=False).fit(X, sample_domain=ids)
    np.testing.assert_allclose(np.abs(plain.transform(Xt)), np.abs(Xt @ P_t), atol=1e-10)


@pytest.mark.parametrize("n_components", [5, None])
@pytest.mark.parametrize(("n", "d"), [(300, 600), (600, 300)])
def test_principal_axes_are_the_singular_vectors(n, d, n_components):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)) * 0.97 ** np.arange(d) + rng.normal(size=d)
    found = principal_axes(X, X.mean(axis=0), n_components)
    _, singular, axes = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    k = n_components or 50
    np.testing.assert_allclose(found.variances[:k], singular[:k] ** 2 / (n - 1), rtol=1e-10)
    P = found.first(k)
    np.testing.assert_allclose(P.T @ P, np.eye(k), atol=1e-12)
    np.testing.assert_allclose(np.abs((axes[:k] * P.T).sum(axis=1)), 1.0, atol=1e-10)


def test_subspace_alignment_of_one_domain_is_pca():
    X, _, _ = rotated_domains(0)
    ids = np.repeat([1, -2], len(X))
    Z = SubspaceAlignmentTransformer(2).fit_transform(np.vstack([X, X]), sample_domain=ids)
    np.testing.assert_allclose(Z[: len(X)], Z[len(X) :], atol=1e-10)
    np.testing.assert_allclose(np.abs(Z[: len(X)]), np.abs(PCA(2).fit_transform(X)), atol=1e-10)


def test_subspace_alignment_has_a_map_for_each_source():
    X, _, ids = rotated_domains(0)
    other = np.vstack([X, X[ids > 0][:, ::-1]])
    domains = np.r_[ids, np.full((ids > 0).sum(), 7)]
    sa = SubspaceAlignmentTransformer(2).fit(other, sample_domain=domains)
    assert sorted(sa.source_axes_) == [1, 7]
    one = SubspaceAlignmentTransformer(2).fit(X, sample_domain=ids)
    np.testing.assert_allclose(
        one.transform(X, sample_domain=ids), sa.transform(X, sample_domain=ids)
    )
    with pytest.raises(ValueError, match="was not fitted on"):
        sa.transform(X, sample_domain=np.full(len(X), 5))


def test_rotating_both_domains_changes_no_aligned_coordinate():
    X, _, ids = rotated_domains(0)
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    Z = SubspaceAlignmentTransformer(3).fit_transform(X, sample_domain=ids)
    turned = SubspaceAlignmentTransformer(3).fit_transform(X @ Q, sample_domain=ids)
    np.testing.assert_allclose(np.abs(turned), np.abs(Z), atol=1e-9)


@pytest.mark.parametrize("d, n", [(6, 150), (60, 20)])
def test_number_of_axes_follows_the_rule(d, n):
    rng = np.random.default_rng(0)
    scales = 0.7 ** np.arange(d)
    X = np.vstack([rng.normal(size=(n, d)) * scales, rng.normal(size=(n, d)) * scales])
    ids = np.repeat([1, -2], n)
    share = SubspaceAlignmentTransformer(0.9).fit(X, sample_domain=ids).n_components_
    expected = max(PCA(0.9).fit(X[:n]).n_components_, PCA(0.9).fit(X[n:]).n_components_)
    assert share == expected
    every = SubspaceAlignmentTransformer(None).fit(X, sample_domain=ids).n_components_
    assert every == min(d, n - 1)
    with pytest.warns(UserWarning, match="n_components=1000 is more than"):
        SubspaceAlignmentTransformer(1000).fit(X, sample_domain=ids)


def test_a_domain_of_one_row_has_one_axis_at_most():
    X, _, _ = rotated_domains(0)
    ids = np.where(np.arange(len(X)) == 3, 1, -2)
    sa = SubspaceAlignmentTransformer().fit(X, sample_domain=ids)
    assert np.linalg.matrix_rank(sa.source_axes_[1]) == 1
    assert SubspaceAlignmentTransformer(None).fit(X, sample_domain=ids).n_components_ == 1
    assert np.isfinite(sa.transform(X, sample_domain=ids)).all()


@pytest.mark.parametrize("n_components", [0, -1, 1.5, True, "all"])
@pytest.mark.parametrize("transformer", [SubspaceAlignmentTransformer, GFKTransformer])
def test_bad_numbers_of_axes_raise(transformer, n_components):
    X, _, ids = rotated_domains(0)
    with pytest.raises(ValueError, match="n_components must be"):
        transformer(n_components).fit(X, sample_domain=ids)


def geodesic_integral(P_s, P_t):
    """∫ Φ(t)Φ(t)ᵀ dt by quadrature, with the path built from the principal angles."""
    U, cosine, Vt = np.linalg.svd(P_s.T @ P_t)
    A, theta = P_s @ U, np.arccos(np.clip(cosine, -1, 1))
    B = (P_t @ Vt.T - A * cosine) / np.sin(theta)

    def integrand(t):
        flow = A * np.cos(t * theta) + B * np.sin(t * theta)
        return flow @ flow.T

    return quad_vec(integrand, 0, 1, epsabs=1e-13)[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("d, k", [(8, 3), (5, 2), (20, 9)])
def test_gfk_is_its_defining_integral(d, k, seed):
    rng = np.random.default_rng(seed)
    P_s, _ = np.linalg.qr(rng.normal(size=(d, k)))
    P_t, _ = np.linalg.qr(rng.normal(size=(d, k)))
    L = geodesic_flow_factor(P_s, P_t)
    np.testing.assert_allclose(L @ L.T, geodesic_integral(P_s, P_t), atol=1e-12)


@pytest.mark.parametrize("theta", [0.0, 1e-12, 1e-8, 1e-4, 0.1, 0.6, np.pi / 2])
def test_gfk_of_one_angle_is_exact_at_every_angle(theta):
    P_s, P_t = np.array([[1.0], [0.0], [0.0]]), np.array([[np.cos(theta)], [np.sin(theta)], [0.0]])
    L = geodesic_flow_factor(P_s, P_t)
    s = np.sinc(2 * theta / np.pi)
    b = np.sin(theta) ** 2 / (2 * theta) if theta else 0.0
    expected = np.zeros((3, 3))
    expected[:2, :2] = [[(1 + s) / 2, b], [b, (1 - s) / 2]]
    np.testing.assert_allclose(L @ L.T, expected, atol=4e-16)


def test_gfk_of_equal_subspaces_is_the_projection(xp):
    P, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 2)))
    L = xp.to_numpy(geodesic_flow_factor(xp.asarray(P), xp.asarray(P)))
    np.testing.assert_allclose(L @ L.T, P @ P.T, atol=1e-6 if xp.dtype == "float32" else 1e-14)


def test_gfk_kernel_does_not_depend_on_the_bases():
    X, _, ids = rotated_domains(0)
    gfk = GFKTransformer(3).fit(X, sample_domain=ids)
    flipped = GFKTransformer(3).fit(X, sample_domain=-ids)  # the path backwards
    np.testing.assert_allclose(
        gfk.factor_ @ gfk.factor_.T, flipped.factor_ @ flipped.factor_.T, atol=1e-12
    )


def test_gfk_spans_both_subspaces():
    X, _, ids = rotated_domains(0)
    gfk = GFKTransformer(2).fit(X, sample_domain=ids)
    both = np.hstack([PCA(2).fit(X[ids > 0]).components_.T, PCA(2).fit(X[ids < 0]).components_.T])
    assert subspace_angles(gfk.factor_, both).max() < 1e-6


@pytest.mark.parametrize(
    "transformer, margin",
    [(SubspaceAlignmentTransformer(2), 0.1), (GFKTransformer(2), 0.03)],
)
def test_alignment_helps_when_the_axes_turn(transformer, margin):
    plain, adapted = [], []
    for seed in range(5):
        X, y, ids = rotated_domains(seed)
        X = X - np.where((ids > 0)[:, None], X[ids > 0].mean(0), X[ids < 0].mean(0))
        Z = transformer.fit_transform(X, sample_domain=ids)
        for rows, scores in ((X, plain), (Z, adapted)):
            model = KNeighborsClassifier(5).fit(rows[ids > 0], y[ids > 0])
            scores.append(model.score(rows[ids < 0], y[ids < 0]))
    assert np.mean(adapted) > np.mean(plain) + margin


def test_gfk_takes_rows_relative_to_the_mean_of_their_domain():
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(90, 6)), np.repeat([1, 2, -3], 30)
    moved = X + 5.0 * ids[:, None]
    centered = np.concatenate([X[ids == i] - X[ids == i].mean(axis=0) for i in (1, 2, -3)])
    gfk = GFKTransformer(2).fit(moved, sample_domain=ids)
    np.testing.assert_allclose(
        gfk.transform(moved, sample_domain=ids), centered @ gfk.factor_, atol=1e-10
    )
    as_it_is = GFKTransformer(2, center=False).fit(moved, sample_domain=ids)
    np.testing.assert_allclose(as_it_is.factor_, gfk.factor_)
    np.testing.assert_allclose(
        as_it_is.transform(moved, sample_domain=ids), moved @ gfk.factor_, atol=1e-10
    )


def test_automatic_axes_of_a_source_hold_99_percent_of_its_variance():
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(200, 4)) * [10.0, 3.0, 0.9, 0.1], np.repeat([1, -2], 100)
    for third, n_axes in ((1.0, 2), (3.0, 3)):
        X[:, 2] *= third
        sa = SubspaceAlignmentTransformer().fit(X, sample_domain=ids)
        assert sa.n_components_ == 4  # all of the target
        assert np.linalg.matrix_rank(sa.source_axes_[1]) == n_axes
    assert SubspaceAlignmentTransformer(0.9).fit(X, sample_domain=ids).n_components_ == 2


def test_constant_columns_of_the_target_take_no_axes_from_the_source():
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(400, 6)), np.repeat([1, -2], 200)
    X[:, 1:] *= 2.0  # source rows vary least along the first column, target rows along the third on
    X[200:, 2:] = 0.0
    y = X.sum(axis=1)

    def score(n_components):
        sa = SubspaceAlignmentTransformer(n_components)
        Z = sa.fit_transform(X, sample_domain=ids)
        assert Z.shape[1] == 2
        return LinearRegression().fit(Z[:200], y[:200]).score(Z[200:], y[200:])

    assert score("auto") > 0.9
    assert score(None) < 0.0
