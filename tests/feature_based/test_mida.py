"""MIDA against its dense eigenproblem, and on many domains with offsets of their own."""

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles
from sklearn.linear_model import LinearRegression, LogisticRegression

from skda import MIDATransformer
from skda._numerics._kernels import kernel_matrix


def many_domains(seed=0, n=40, d=4, sources=3):
    """Each domain with an offset across the class direction; sources' classes follow theirs."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.repeat([*range(1, sources + 1), -9], n))
    y = rng.integers(0, 2, len(ids))
    X = rng.normal(size=(len(ids), d))
    X[:, 0] += 4 * y
    offsets = {i: rng.normal(size=d) * 6 for i in np.unique(ids)}
    X += np.stack([offsets[i] for i in ids])
    return X, y, ids


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize("label_weight", [0.0, 0.7])
def test_mida_solves_its_dense_eigenproblem(kernel, augment, label_weight):
    X, y, ids = many_domains()
    k = 1 if kernel == "linear" and not augment else 3  # what varies more than it depends
    mida = MIDATransformer(
        k, kernel=kernel, augment=augment, reg=2.0, label_weight=label_weight
    ).fit(X, y, sample_domain=ids)
    D = (ids[:, None] == [1, 2, 3, -9]).astype(float)
    rows = np.hstack([X, D * X.var(axis=0).mean() ** 0.5]) if augment else X
    K = kernel_matrix(rows, kernel=kernel, gamma=mida.gamma_)
    n = len(K)
    H = np.eye(n) - 1 / n
    same = (y[:, None] == y) & (ids[:, None] > 0) & (ids > 0)
    A = K @ H @ (2.0 * np.eye(n) - D @ D.T + label_weight * same) @ H @ K
    values, W = eigh(A)
    np.testing.assert_allclose(mida.eigenvalues_, values[::-1][:k], rtol=1e-9)
    Z = mida.transform(X, sample_domain=ids)
    assert subspace_angles(Z, K @ W[:, ::-1][:, :k]).max() < 1e-6


def test_components_do_not_tell_the_domains_apart():
    X, _, ids = many_domains()
    Z = MIDATransformer(2, kernel="linear").fit_transform(X, sample_domain=ids)
    means = np.stack([Z[ids == i].mean(0) for i in np.unique(ids)])
    assert np.abs(means - Z.mean(0)).max() < 0.1 * Z.std()


def test_many_offset_domains_are_classified_together():
    plain, adapted, off = [], [], []
    for seed in range(5):
        X, y, ids = many_domains(seed)

        def score(Z, y=y, ids=ids):
            model = LogisticRegression().fit(Z[ids > 0], y[ids > 0])
            return model.score(Z[ids < 0], y[ids < 0])

        mida = MIDATransformer(4, kernel="linear")
        plain.append(score(X))
        adapted.append(score(mida.fit_transform(X, sample_domain=ids)))
        mida.set_params(reg=1e12)  # sabotage: nothing is adapted
        off.append(score(mida.fit_transform(X, sample_domain=ids)))
    assert np.mean(adapted) > 0.9
    assert np.mean(adapted) > np.mean(plain) + 0.15
    assert np.mean(adapted) > np.mean(off) + 0.15


def test_rows_of_no_stated_domain_get_the_average_of_the_targets():
    X, _, ids = many_domains()
    ids = np.where((ids < 0) & (np.arange(len(X)) % 2 == 0), -2, ids)
    mida = MIDATransformer(2, kernel="linear").fit(X, sample_domain=ids)
    targets = [i for i in np.unique(ids).tolist() if i < 0]
    named = [mida.transform(X, sample_domain=np.full(len(X), i)) for i in targets]
    assert len(targets) > 1 and abs(named[0] - named[1]).max() > 1e-6
    np.testing.assert_allclose(mida.transform(X), np.mean(named, axis=0), atol=1e-9)


def test_precomputed_kernel_cannot_be_augmented():
    X, _, ids = many_domains()
    K = kernel_matrix(X, gamma=0.1)
    with pytest.raises(ValueError, match="augment=False"):
        MIDATransformer(2, kernel="precomputed").fit(K, sample_domain=ids)
    Z = MIDATransformer(2, kernel="precomputed", augment=False).fit_transform(K, sample_domain=ids)
    other = MIDATransformer(2, gamma=0.1, augment=False).fit_transform(X, sample_domain=ids)
    np.testing.assert_allclose(Z, other, atol=1e-8)


def drifting(seed, n=150):
    """Rows that drift with the time in the last column, within each domain and between them."""
    rng = np.random.default_rng(seed)
    time = np.r_[rng.uniform(0.0, 0.7, n), rng.uniform(0.3, 1.0, n)]
    ids, y = np.repeat([1, -2], n), rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, 4))
    X[:, 0] += 3 * y
    drift = np.r_[2.0, rng.normal(size=3)]
    return np.c_[X + np.outer(8 * time, drift / np.linalg.norm(drift)), 2020 + time], y, ids


@pytest.mark.parametrize("augment", [True, False])
def test_columns_that_describe_the_domain_join_its_code(augment):
    X, _, ids = drifting(0, n=40)
    mida = MIDATransformer(2, domain_columns=[-1], augment=augment, reg=2.0)
    Z = mida.fit_transform(X, sample_domain=ids)
    own, time = X[:, :4], X[:, 4]
    D = np.c_[ids > 0, ids < 0, (time - time.mean()) / time.std()]
    rows = np.hstack([own, D * own.var(axis=0).mean() ** 0.5]) if augment else own
    K = kernel_matrix(rows, gamma=mida.gamma_)
    H = np.eye(80) - 1 / 80
    values, W = eigh(K @ H @ (2.0 * np.eye(80) - D @ D.T) @ H @ K)
    np.testing.assert_allclose(mida.eigenvalues_, values[::-1][:2], rtol=1e-9)
    assert subspace_angles(Z, K @ W[:, ::-1][:, :2]).max() < 1e-6


def test_columns_by_name_are_those_by_position():
    pd = pytest.importorskip("pandas")
    X, _, ids = drifting(0, n=20)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d", "time"])
    named = MIDATransformer(2, domain_columns=["time"]).fit(frame, sample_domain=ids)
    placed = MIDATransformer(2, domain_columns=[4]).fit(X, sample_domain=ids)
    np.testing.assert_allclose(named.transform(frame[:3]), placed.transform(X[:3]))


def test_a_drift_in_time_is_removed_with_the_time_and_not_without():
    scores, traces = [], []
    for seed in range(5):
        X, y, ids = drifting(seed)
        for columns in ([4], None):
            mida = MIDATransformer(2, kernel="linear", domain_columns=columns)
            Z = mida.fit_transform(X, sample_domain=ids)
            model = LogisticRegression(max_iter=1000).fit(Z[ids > 0], y[ids > 0])
            scores.append(model.score(Z[ids < 0], y[ids < 0]))
            traces.append(LinearRegression().fit(Z, X[:, 4]).score(Z, X[:, 4]))  # of the time
    assert max(traces[::2]) < 1e-3
    assert min(traces[1::2]) > 0.1
    assert np.mean(scores[::2]) > np.mean(scores[1::2])


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"domain_columns": [7]}, r"domain_columns must be columns of X .*; got 7"),
        ({"domain_columns": ["time"]}, "got 'time'"),
        ({"domain_columns": range(5)}, "leaves nothing of the 5"),
        ({"domain_columns": [4], "kernel": "precomputed", "augment": False}, "precomputed"),
    ],
)
def test_columns_that_are_not_there_are_named(params, match):
    X, _, ids = drifting(0, n=10)
    with pytest.raises(ValueError, match=match):
        MIDATransformer(**params).fit(X, sample_domain=ids)


@pytest.mark.parametrize("solver, rtol", [("nystroem", 1e-6), ("fourier", 0.3)])
def test_explicit_features_approach_the_exact_components(solver, rtol):
    X, _, ids = many_domains(d=2, sources=2)
    exact = MIDATransformer(2, gamma=0.002, reg=5.0).fit(X, sample_domain=ids)
    near = MIDATransformer(2, gamma=0.002, reg=5.0, solver=solver, n_basis=120, random_state=0)
    near.fit(X, sample_domain=ids)
    np.testing.assert_allclose(near.eigenvalues_, exact.eigenvalues_, rtol=rtol)
    assert near.transform(X, sample_domain=ids).shape == (120, 2)
    assert near._order_dependent == (solver == "nystroem")
