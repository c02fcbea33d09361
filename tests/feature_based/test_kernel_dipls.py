"""KernelDIPLSRegressor: limits, another package, and a curve carried to another instrument."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from skda import DIPLSRegressor, KernelDIPLSRegressor
from skda.feature_based._kernel_dipls import adaptive_direction, kernel_coordinates
from tests.feature_based.test_dipls import instruments, three_instruments


@pytest.mark.parametrize("reg", [0.0, 5.0, "auto"])
@pytest.mark.parametrize("per_target", [False, True])
def test_with_a_linear_kernel_it_is_dipls(reg, per_target):
    X, y, ids = three_instruments()
    params = {"n_components": 3, "reg": reg, "per_target": per_target}
    kernel = KernelDIPLSRegressor(kernel="linear", **params).fit(X, y, sample_domain=ids)
    linear = DIPLSRegressor(**params).fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(
        kernel.predict(X, sample_domain=ids), linear.predict(X, sample_domain=ids), atol=1e-8
    )
    np.testing.assert_allclose(kernel.regs_, linear.regs_, rtol=1e-6)


def test_coordinates_have_the_kernel_as_inner_products():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    for K, rank in ((rbf_kernel(X), 12), (X @ X.T, 3)):
        F = K @ kernel_coordinates(K)
        assert F.shape[1] == rank
        np.testing.assert_allclose(F @ F.T, K, atol=1e-10)


def test_the_direction_of_means_maximizes_its_objective():
    rng = np.random.default_rng(0)
    K, y, sums = rng.normal(size=(9, 9)), rng.normal(size=(9, 1)), rng.normal(size=(9, 2))
    w, reg = adaptive_direction(K, y, sums, 0.7)
    M = (K.T @ y) @ (K.T @ y).T - 0.7 * sums @ sums.T
    values, vectors = np.linalg.eigh(M)
    assert reg == 0.7
    np.testing.assert_allclose(abs(vectors[:, -1] @ w), 1.0)
    assert (w.T @ M @ w).item() == pytest.approx(values[-1])


def brute_force_adaptive(kernel, X, y, ids, reg, n_components, rows):
    """Domain-adaptive PLS with all its matrices; predictions of `rows` as target rows."""
    source = ids > 0
    K, F = kernel(X[source], X[source]), kernel(X, X[source])
    H = np.eye(len(K)) - 1.0 / len(K)
    E, G, r = (K - K.mean(0)) @ H, (F - F.mean(0)) @ H, y[source] - y[source].mean()
    same = (ids[:, None] == ids).astype(float)
    W, P, C = [], [], []
    for _ in range(n_components):
        w = np.linalg.eigh(np.outer(E.T @ r, E.T @ r) - reg * G.T @ same @ G)[1][:, -1]
        t, s = E @ w, G @ w
        W.append(w)
        C.append(t @ r / (t @ t))
        P.append(G.T @ s / (s @ s))
        E, r = E - np.outer(t, E.T @ t) / (t @ t), r - t * C[-1]
        G = G - np.outer(s, P[-1])
    W, P = np.array(W).T, np.array(P).T
    coef = H @ W @ np.linalg.solve(P.T @ W, np.array(C))
    return (kernel(rows, X[source]) - F.mean(0)) @ coef + y[source].mean()


def test_the_criterion_of_means_is_domain_adaptive_pls():
    X, y, ids = three_instruments()
    model = KernelDIPLSRegressor(3, gamma=0.05, reg=0.5, criterion="mean", per_target=True)
    model.fit(X, y, sample_domain=ids)
    rows = X[[0, 1, 20, 32]]
    # As source rows, by kdapls() of diPLSlib 2.5.0 with an rbf kernel, gamma=0.05 and l=0.5. Its
    # coefficients for targets (target_domain=1) are ours times the norm of the source's scores over
    # that of all scores, and so depend on how many target rows there are; hence brute force.
    expected = [-1.631939, 7.322947, 1.023087, 0.369432]
    found = model.predict(rows, sample_domain=[1] * 4)
    np.testing.assert_allclose(found, expected, atol=1e-6)

    def kernel(A, B):
        return rbf_kernel(A, B, gamma=0.05)

    expected = brute_force_adaptive(kernel, X, y, ids, 0.5, 3, rows)
    found = model.predict(rows, sample_domain=[-2] * 4)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("criterion", ["variance", "mean"])
def test_every_backend_agrees(xp, criterion):
    X, y, ids = instruments(n=20)
    # Few enough directions that float32 sees them all.
    model = KernelDIPLSRegressor(2, kernel="poly", degree=1, reg=2.0, criterion=criterion)
    host = model.fit(X, y, sample_domain=ids).predict(X)
    there = model.fit(xp.asarray(X), y, sample_domain=ids)
    got = xp.to_numpy(there.predict(xp.asarray(X)))
    np.testing.assert_allclose(got, host, atol=1e-2 if xp.dtype == "float32" else 1e-7)


def curve(seed):
    """A curve of one feature; another varies much more on the target instrument."""
    rng = np.random.default_rng(seed)
    amount, ids = rng.uniform(-2, 2, size=160), np.repeat([1, -2], 80)
    X = np.column_stack([amount, 0.3 * rng.normal(size=(160, 2))])
    X[ids < 0, 2] = 6.0 * X[ids < 0, 2] + 1.0
    return X, amount**2, ids


def score(model, seed):
    X, y, ids = curve(seed)
    return model.fit(X, y, sample_domain=ids).score(X[ids < 0], y[ids < 0])


def test_a_curve_is_carried_over_where_lines_fail():
    seeds = range(4)
    kernel = np.mean([score(KernelDIPLSRegressor(4), k) for k in seeds])
    assert kernel > 0.7
    assert np.mean([score(DIPLSRegressor(3), k) for k in seeds]) < 0.0
    # Sabotage: without a weight only the mean is moved.
    assert np.mean([score(KernelDIPLSRegressor(4, reg=0.0), k) for k in seeds]) < kernel - 0.1


@pytest.mark.parametrize("criterion", ["variance", "mean"])
def test_a_constant_y_is_predicted(criterion):
    X, _, ids = instruments(n=20)
    model = KernelDIPLSRegressor(2, criterion=criterion).fit(X, np.ones(40), sample_domain=ids)
    np.testing.assert_allclose(model.predict(X), 1.0)


def test_a_function_may_be_the_kernel():
    X, y, ids = instruments(n=20)
    own = KernelDIPLSRegressor(2, kernel=lambda A, B: A @ B.T).fit(X, y, sample_domain=ids)
    named = KernelDIPLSRegressor(2, kernel="linear").fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(own.predict(X), named.predict(X))
    assert own.gamma_ == 1.0


@pytest.mark.parametrize(
    "params",
    [
        {"kernel": "precomputed"},
        {"kernel": "cubic"},
        {"gamma": 0.0},
        {"degree": -1},
        {"coef0": "a"},
        {"criterion": "both"},
        {"per_target": "yes"},
        {"reg": -1.0},
        {"n_components": 0},
    ],
)
def test_bad_parameters_raise(params):
    X, y, ids = instruments(n=20)
    with pytest.raises(ValueError, match=next(iter(params))):
        KernelDIPLSRegressor(**params).fit(X, y, sample_domain=ids)
