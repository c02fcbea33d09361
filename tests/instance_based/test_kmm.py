"""Kernel mean matching against a convex solver, its optimality conditions, and bad input."""

import tracemalloc

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel

from skda import DomainWarning, KMMWeighter, stack_domains
from skda._numerics._kernels import kernel_matrix, resolve_gamma
from skda.instance_based._kmm import kernel_mean_matching


def shifted(n, d, seed=0, m=None):
    rng = np.random.default_rng(seed)
    X_target = 0.7 * rng.normal(size=(m or n, d))
    X_target[:, 0] += 1.0
    return rng.normal(size=(n, d)), X_target


def stacked(n, d, seed=0):
    X_source, X_target = shifted(n, d, seed)
    X, _, sample_domain = stack_domains(X_source, None, X_target)
    return X, sample_domain


def mmd2(beta, X_source, X_target, gamma):
    """Squared MMD of the weighted source to the target."""
    n, m = len(X_source), len(X_target)
    K = kernel_matrix(X_source, gamma=gamma)
    cross = kernel_matrix(X_source, X_target, gamma=gamma).sum(axis=1)
    return (
        beta @ K @ beta / n**2
        - 2 * beta @ cross / (n * m)
        + kernel_matrix(X_target, gamma=gamma).mean()
    )


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("factor", [30.0, 1.0, 0.03], ids=["narrow", "median", "wide"])
def test_mmd_is_within_one_percent_of_a_convex_solver_s_optimum(factor, d):
    cvxpy = pytest.importorskip("cvxpy")
    X_source, X_target = shifted(120, d, m=90)
    n, eps, upper = 120, (np.sqrt(120) - 1) / np.sqrt(120), 1000.0
    gamma = factor * resolve_gamma("median", np.vstack([X_source, X_target]))
    solution, _ = kernel_mean_matching(X_source, X_target, upper=upper, eps=eps, gamma=gamma)
    # The solver gets the distance itself, as a cone: squared, it would be lost in rounding.
    pooled = np.vstack([X_source, X_target])
    values, vectors = np.linalg.eigh(kernel_matrix(pooled, gamma=gamma))
    root = np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
    beta = cvxpy.Variable(n)
    gap = root[:, :n] @ beta / n - root[:, n:].mean(axis=1)
    total = cvxpy.sum(beta)
    walls = [beta >= 0, beta <= upper, total <= n * (1 + eps), total >= n * (1 - eps)]
    cvxpy.Problem(cvxpy.Minimize(cvxpy.norm(gap)), walls).solve(solver="CLARABEL")
    best = mmd2(np.clip(beta.value, 0, upper), X_source, X_target, gamma)
    ours = mmd2(solution.x, X_source, X_target, gamma)
    # below 1e-10 the two domains are one in float64, and both are at the mercy of rounding
    assert ours <= 1.01 * best + 1e-10
    assert solution.residual <= 1e-5


@pytest.mark.parametrize("factor", [100.0, 1.0, 0.01])
@pytest.mark.parametrize("eps", [None, 0.0, 0.05])
@pytest.mark.parametrize("upper_bound", [2.0, 1000.0])
@pytest.mark.parametrize("reg", [0.0, 1.0])
def test_solution_meets_optimality_conditions(factor, eps, upper_bound, reg):
    X, d = stacked(200, 3)
    gamma = factor * resolve_gamma("median", X)
    weighter = KMMWeighter(
        min_effective_size=None, gamma=gamma, eps=eps, upper_bound=upper_bound, reg=reg
    )
    weighter.fit(X, sample_domain=d)
    beta = weighter.beta_
    slack = (np.sqrt(200) - 1) / np.sqrt(200) if eps is None else eps
    assert weighter.kkt_residual_ <= 1e-5
    assert beta.min() >= 0 and beta.max() <= upper_bound + 1e-9
    assert abs(beta.sum() - 200) <= 200 * slack + 1e-6
    np.testing.assert_allclose(weighter.weights_, beta / beta.mean())
    # stationarity, written out: free weights share one multiplier
    K = kernel_matrix(X[d >= 0], gamma=gamma)
    kappa = 200 * kernel_matrix(X[d >= 0], X[d < 0], gamma=gamma).mean(axis=1)
    gradient = K @ beta + reg * beta - kappa
    free = (beta > 1e-4) & (beta < upper_bound - 1e-4)
    if free.any():
        nu = gradient[free].mean()
        assert abs(gradient[free] - nu).max() <= 3e-5
        assert gradient[beta <= 1e-6].min(initial=np.inf) >= nu - 3e-5


def test_weights_bring_the_mean_to_the_target():
    X, d = stacked(300, 2)
    X_source, X_target = X[d >= 0], X[d < 0]
    moved = np.average(
        X_source,
        axis=0,
        weights=KMMWeighter(min_effective_size=None).fit(X, sample_domain=d).weights_,
    )
    gap = np.linalg.norm(X_source.mean(axis=0) - X_target.mean(axis=0))
    assert np.linalg.norm(moved - X_target.mean(axis=0)) < 0.05 * gap


def test_reg_trades_match_for_variance():
    X, d = stacked(200, 2)
    fits = [
        KMMWeighter(min_effective_size=None, reg=reg).fit(X, sample_domain=d)
        for reg in (0.0, 1.0, 100.0)
    ]
    sizes = [fit.effective_sample_size_ for fit in fits]
    gaps = [mmd2(fit.beta_, X[d >= 0], X[d < 0], fit.gamma_) for fit in fits]
    assert sizes == sorted(sizes) and sizes[-1] > 1.5 * sizes[0]
    assert gaps == sorted(gaps)


@pytest.mark.parametrize("kernel", ["laplacian", "linear", "poly", lambda A, B: A @ B.T + 1.0])
def test_other_kernels(kernel):
    X, d = stacked(60, 3)
    weighter = KMMWeighter(min_effective_size=None, kernel=kernel, upper_bound=10.0).fit(
        X, sample_domain=d
    )
    assert weighter.kkt_residual_ <= 1e-5
    assert weighter.weights_.mean() == pytest.approx(1)


@pytest.mark.parametrize("factor", [10.0, 1.0])
def test_a_second_kernel_matrix_is_never_in_memory(factor):
    n = 2100  # so many that the start comes from half of them, and most keep a weight above 0
    rng = np.random.default_rng(0)
    X_source, X_target = rng.normal(size=(n, 10)), rng.normal(size=(n, 10))
    gamma = factor * resolve_gamma("median", X_source)
    tracemalloc.start()
    solution, _ = kernel_mean_matching(X_source, X_target, upper=1000.0, eps=0.9, gamma=gamma)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert solution.residual <= 1e-5
    assert peak < 1.5 * X_source.itemsize * n**2


def test_a_kernel_of_whole_numbers_is_brought_to_the_precision_of_the_rows():
    X, d = stacked(300, 3)

    def whole(A, B):
        return np.rint(3 * A).astype(int) @ np.rint(3 * B).astype(int).T

    got = KMMWeighter(min_effective_size=None, kernel=whole).fit(X, sample_domain=d)
    wanted = KMMWeighter(
        min_effective_size=None, kernel=lambda A, B: whole(A, B).astype(float)
    ).fit(X, sample_domain=d)
    assert got.beta_.dtype == X.dtype
    np.testing.assert_array_equal(got.beta_, wanted.beta_)


@pytest.mark.parametrize("reg", [0.0, 1.0])
def test_a_kernel_that_is_definite_in_float32_only_is_no_trouble(reg):
    X, d = stacked(1100, 3)

    def rough(A, B):
        return rbf_kernel(A, B, gamma=0.3).astype(np.float32)

    weighter = KMMWeighter(min_effective_size=None, kernel=rough, reg=reg).fit(X, sample_domain=d)
    assert weighter.kkt_residual_ <= 1e-5


def test_a_kernel_of_one_s_own_gives_the_weights_of_the_same_one_by_name():
    X_source, X_target = shifted(600, 3)
    gamma = resolve_gamma("median", X_source)
    bounds = {"upper": 1000.0, "eps": 0.9}
    ours, _ = kernel_mean_matching(X_source, X_target, gamma=gamma, **bounds)
    theirs, _ = kernel_mean_matching(
        X_source, X_target, kernel=lambda A, B: rbf_kernel(A, B, gamma=gamma), **bounds
    )
    assert mmd2(theirs.x, X_source, X_target, gamma) == pytest.approx(
        mmd2(ours.x, X_source, X_target, gamma), rel=1e-2
    )


@pytest.mark.parametrize("reg", [0.0, 1.0])
def test_duplicated_rows_are_no_trouble(reg):
    X_source, X_target = shifted(50, 2)
    X, _, d = stack_domains(np.repeat(X_source, 4, axis=0), None, X_target)
    weighter = KMMWeighter(min_effective_size=None, reg=reg).fit(X, sample_domain=d)
    assert weighter.kkt_residual_ <= 1e-5 and np.isfinite(weighter.weights_).all()


def test_float32_stays_and_agrees():
    X, d = stacked(100, 5)
    wide = KMMWeighter(min_effective_size=None).fit(X, sample_domain=d)
    narrow = KMMWeighter(min_effective_size=None).fit(X.astype(np.float32), sample_domain=d)
    assert narrow.weights_.dtype == np.float32
    np.testing.assert_allclose(narrow.weights_, wide.weights_, atol=2e-2)


def test_domains_out_of_reach_warn():
    X, _, d = stack_domains(np.arange(20.0)[:, None], None, np.full((5, 1), 1e6))
    with pytest.warns(DomainWarning, match="effective sample size 20 of 20"):
        KMMWeighter(min_effective_size=None, gamma=1.0).fit(X, sample_domain=d)


def test_too_few_steps_warn():
    X, d = stacked(100, 2)
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        KMMWeighter(min_effective_size=None, reg=0.0, max_iter=1).fit(X, sample_domain=d)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"upper_bound": 0}, "upper_bound must be a positive number"),
        ({"upper_bound": 0.5, "eps": 0.1}, "Raise upper_bound"),
        ({"eps": -1}, "eps must be"),
        ({"reg": -1.0}, "reg must be"),
        ({"tol": 0}, "tol must be"),
        ({"gamma": "wide"}, "gamma must be"),
        ({"gamma": -2.0}, "gamma must be"),
        ({"kernel": "gauss"}, "kernel must be"),
        ({"kernel": "precomputed"}, "not offered"),
        ({"exponent": 2}, "exponent must be"),
        ({"clip": 0.5}, "clip must be"),
    ],
)
def test_bad_parameters_are_named(params, words):
    X, d = stacked(10, 2)
    with pytest.raises(ValueError, match=words):
        KMMWeighter(**params).fit(X, sample_domain=d)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "linear"])
def test_all_rows_as_landmarks_give_the_exact_weights(kernel):
    X, d = stacked(60, 2)
    same = {"kernel": kernel, "min_effective_size": None, "upper_bound": 5.0, "tol": 1e-8}
    exact = KMMWeighter(**same).fit(X, sample_domain=d)
    near = KMMWeighter(solver="nystroem", n_basis=120, random_state=0, **same)
    near.fit(X, sample_domain=d)
    np.testing.assert_allclose(near.beta_, exact.beta_, atol=2e-3)
    assert near._order_dependent and not exact._order_dependent


def test_few_landmarks_come_close_to_the_exact_weights():
    X, d = stacked(400, 5)
    exact = KMMWeighter(min_effective_size=None).fit(X, sample_domain=d).weights_
    near = KMMWeighter(min_effective_size=None, solver="nystroem", n_basis=100, random_state=0)
    assert np.corrcoef(near.fit(X, sample_domain=d).weights_, exact)[0, 1] > 0.99


def test_landmarks_need_a_ridge_and_too_many_rows_are_told_of_them(monkeypatch):
    X, d = stacked(30, 2)
    with pytest.raises(ValueError, match="needs reg above 0"):
        KMMWeighter(solver="nystroem", reg=0).fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="solver must be"):
        KMMWeighter(solver="lazy").fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="n_basis"):
        KMMWeighter(n_basis=0).fit(X, sample_domain=d)
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match="Take solver='nystroem'"):
        KMMWeighter().fit(X, sample_domain=d)
