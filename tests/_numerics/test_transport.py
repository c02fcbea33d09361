"""Plans: exact ones against POT, entropic ones against optimality conditions."""

import warnings

import numpy as np
import ot
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.fixes import parse_version

from skda._array._backend import to_numpy
from skda._numerics import _transport as transport
from skda._numerics._sinkhorn import sinkhorn_plan
from skda._numerics._transport import barycentric_map, cost_matrix, cost_unit, exact_plan

OLD_POT = parse_version(ot.__version__) < parse_version("0.9.7")


def costs(n=40, m=30, d=3, seed=0, shift=0.5):
    rng = np.random.default_rng(seed)
    M = cost_matrix(rng.normal(size=(n, d)), rng.normal(size=(m, d)) + shift)
    return M / np.median(M)


def log_domain_sinkhorn(M, reg, n_iter=5000):
    """Ten lines of reference: alternate soft c-transforms until nothing moves."""
    n, m = M.shape
    f, g = np.zeros(n), np.zeros(m)
    for _ in range(n_iter):
        g = -reg * logsumexp((f[:, None] - M) / reg - np.log(n), axis=0)
        f = -reg * logsumexp((g[None, :] - M) / reg - np.log(m), axis=1)
    return np.exp((f[:, None] + g[None, :] - M) / reg) / (n * m)


# Costs.


def test_costs_are_squared_distances_even_far_from_zero(xp):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(5, 3)) + 100.0, rng.normal(size=(4, 3)) + 100.0
    M = to_numpy(cost_matrix(xp.asarray(X), xp.asarray(Y)))
    np.testing.assert_allclose(M, ((X[:, None] - Y) ** 2).sum(2), rtol=xp.rtol, atol=1e-4)


def test_costs_of_a_callable_are_taken_and_checked(xp):
    X = xp.asarray(np.arange(6.0).reshape(3, 2))
    M = cost_matrix(X, X, metric=lambda X, Y: X @ Y.T)
    assert M.shape == (3, 3)
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        cost_matrix(X, X, metric=lambda X, Y: X)


@pytest.mark.parametrize("rule, value", [("median", 2.0), ("mean", 2.5), ("max", 5.0), (None, 1.0)])
def test_cost_scale_is_the_named_statistic(xp, rule, value):
    M = xp.asarray(np.array([[1.0, 2.0], [2.0, 5.0]]))
    assert cost_unit(M, rule) == value


def test_cost_scale_survives_mostly_duplicated_rows(xp):
    assert cost_unit(xp.asarray(np.array([[0.0, 0.0], [0.0, 4.0]])), "median") == 1.0
    assert cost_unit(xp.asarray(np.zeros((2, 2))), "median") == 1.0


# Exact plans.


@pytest.mark.parametrize("seed", range(3))
def test_exact_plan_of_equal_sizes_costs_what_the_best_assignment_does(seed):
    M = costs(n=60, m=60, seed=seed)
    rows, columns = linear_sum_assignment(M)
    plan = exact_plan(M)
    assert plan.cost == pytest.approx(M[rows, columns].mean(), rel=1e-12)
    np.testing.assert_allclose(plan.coupling[rows, columns], 1 / 60, rtol=1e-9)


def test_exact_plan_has_the_cost_of_pot_and_is_not_cut_short():
    # A peer stops the simplex after 200 pivots; here that many are not enough.
    ot = pytest.importorskip("ot")
    M = costs(n=300, m=200)
    plan = exact_plan(M)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cut = (ot.emd([], [], M, numItermax=200) * M).sum()
    assert plan.cost == pytest.approx(ot.emd2([], [], M, numItermax=10**7), rel=1e-12)
    assert abs(cut / plan.cost - 1) > 0.05
    assert plan.marginal_error < 1e-12


def test_exact_plan_potentials_prove_that_it_is_optimal():
    M = costs(n=50, m=35)
    plan = exact_plan(M)
    reduced = M - plan.potentials[0][:, None] - plan.potentials[1]
    assert reduced.min() > -1e-9
    assert np.abs(reduced[plan.coupling > 1e-12]).max() < 1e-9


def test_exact_plan_from_the_potentials_of_another_problem_is_the_same():
    M = costs(n=50, m=35)
    start = exact_plan(M * (1 + 0.1 * np.random.default_rng(1).random(M.shape))).potentials
    assert exact_plan(M, start=start).cost == pytest.approx(exact_plan(M).cost, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n, m, d", [(90, 90, 20), (120, 60, 2), (45, 200, 1)])
def test_plans_priced_in_are_as_cheap_as_dense_ones(monkeypatch, n, m, d, seed):
    M = costs(n=n, m=m, d=d, seed=seed)
    dense = exact_plan(M)
    monkeypatch.setattr("skda._numerics._transport._SPARSE_FROM", 0)
    priced = exact_plan(M)
    assert priced.cost == pytest.approx(dense.cost, rel=1e-9)
    assert priced.marginal_error < 1e-12
    # a start that knows nothing costs rounds, not the optimum
    lost = (np.zeros(n), np.random.default_rng(0).normal(size=m))
    assert exact_plan(M, start=lost).cost == pytest.approx(dense.cost, rel=1e-9)


@pytest.mark.skipif(OLD_POT, reason="POT solves on some of the pairs only since 0.9.7")
def test_potentials_that_are_far_off_are_given_up_after_two_rounds(monkeypatch):
    M = costs(n=200, m=200, d=2)
    start = exact_plan(M).potentials
    label = np.arange(200) % 2 == np.ones((200, 1))
    # Not half and half, as the labels are.
    predicted = np.random.default_rng(0).random((200, 1)) < 0.9
    joint, pairs = M + 5.0 * (label != predicted), []
    dense = exact_plan(joint).cost
    simplex = transport._simplex

    def counted(M, *masses):
        pairs.append(getattr(M, "nnz", M.size))
        return simplex(M, *masses)

    monkeypatch.setattr(transport, "_SPARSE_FROM", 0)
    monkeypatch.setattr(transport, "_CANDIDATES", 3)
    monkeypatch.setattr(transport, "_simplex", counted)
    assert exact_plan(joint, start=start).cost == pytest.approx(dense, rel=1e-9)
    assert len(pairs) == 3 and pairs[:2] < [2000, 2000] and pairs[2] == 200 * 200


def test_plans_priced_in_respect_unequal_masses(monkeypatch):
    rng = np.random.default_rng(0)
    M, a, b = costs(n=60, m=50), rng.random(60), rng.random(50)
    a, b = a / a.sum(), b / b.sum()
    dense = exact_plan(M, a, b)
    monkeypatch.setattr("skda._numerics._transport._SPARSE_FROM", 0)
    assert exact_plan(M, a, b).cost == pytest.approx(dense.cost, rel=1e-9)


def test_many_equal_costs_do_not_confuse_the_pricing(monkeypatch):
    monkeypatch.setattr("skda._numerics._transport._SPARSE_FROM", 0)
    M = np.random.default_rng(0).integers(0, 3, size=(80, 70)).astype(float)
    dense = np.asarray(exact_plan(M).cost)
    monkeypatch.setattr("skda._numerics._transport._SPARSE_FROM", 10**9)
    assert exact_plan(M).cost == pytest.approx(float(dense), rel=1e-9, abs=1e-12)


def test_exact_plan_comes_back_where_the_costs_were(xp):
    M = costs()
    plan = exact_plan(xp.asarray(M))
    assert type(plan.coupling) is type(xp.asarray(M))
    np.testing.assert_allclose(to_numpy(plan.coupling), exact_plan(M).coupling, atol=1e-7)


# Entropic plans.


@pytest.mark.parametrize(("reg", "seed"), [(1.0, 0), (0.1, 1), (0.03, 0)])
def test_sinkhorn_plan_is_that_of_the_log_domain(reg, seed):
    M = costs(seed=seed)
    plan = sinkhorn_plan(M, reg=reg, tol=1e-12)
    expected = log_domain_sinkhorn(M, reg)
    np.testing.assert_allclose(plan.coupling, expected, atol=1e-10 * expected.max(), rtol=1e-6)


@pytest.mark.parametrize("reg", [0.3, 0.02])
def test_sinkhorn_plan_is_the_same_on_every_backend(xp, reg):
    M = costs()
    plan = sinkhorn_plan(xp.asarray(M), reg=reg, tol=1e-9)
    expected = sinkhorn_plan(M, reg=reg, tol=1e-9).coupling
    got = to_numpy(plan.coupling)
    atol = 1e-6 if xp.dtype == "float64" else 2e-2
    np.testing.assert_allclose(got, expected, atol=atol * expected.max())
    assert np.abs(got.sum(0) - 1 / 30).sum() < (1e-8 if xp.dtype == "float64" else 1e-4)


@pytest.mark.parametrize("reg", [1.0, 0.05, 0.01])
def test_sinkhorn_reports_the_marginal_error_that_it_leaves(reg):
    M = costs(n=80, m=60)
    plan = sinkhorn_plan(M, reg=reg, tol=1e-7, max_iter=20000)
    P = plan.coupling
    left = np.abs(P.sum(1) - 1 / 80).sum() + np.abs(P.sum(0) - 1 / 60).sum()
    assert left <= 1.01e-7
    assert plan.marginal_error <= 1e-7


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("reg", [1e-3, 1.0])
def test_sinkhorn_is_never_nan_whatever_the_scale_of_the_costs(scale, reg):
    M = costs() * scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plan = sinkhorn_plan(M, reg=reg, max_iter=50)
    assert np.isfinite(plan.coupling).all()
    np.testing.assert_allclose(plan.coupling.sum(), 1.0, rtol=1e-3)


def test_sinkhorn_without_time_to_converge_warns_with_the_residual():
    with pytest.warns(ConvergenceWarning, match=r"after 3 iterations with \d\.\de-0\d of the mass"):
        sinkhorn_plan(costs(), reg=0.005, max_iter=3)


def test_newton_steps_save_most_of_the_plain_iterations(monkeypatch):
    M = costs(n=80, m=60)
    fast = sinkhorn_plan(M, reg=0.01)
    monkeypatch.setattr("skda._numerics._sinkhorn._is_slow", lambda errors, tol: False)
    plain = sinkhorn_plan(M, reg=0.01, max_iter=50000)
    assert fast.cost == pytest.approx(plain.cost, rel=1e-5)
    assert fast.n_iter < 0.5 * plain.n_iter


def test_two_groups_that_hardly_exchange_mass_are_no_hard_problem():
    # 30 % of the source and 50 % of the target are in the far group: plain steps need ~1e5.
    M = np.full((40, 40), 1.0) + 0.1 * np.random.default_rng(0).random((40, 40))
    M[:12, :20] -= 0.9
    M[12:, 20:] -= 0.9
    plan = sinkhorn_plan(M, reg=0.05, tol=1e-9)
    assert plan.marginal_error < 1e-9
    assert plan.n_iter < 1000


def test_sinkhorn_tends_to_the_exact_plan_and_to_the_product_of_the_marginals():
    M = costs(n=20, m=20)
    exact = exact_plan(M)
    sharp = sinkhorn_plan(M, reg=2e-3, max_iter=20000)
    assert exact.cost < sharp.cost < exact.cost * 1.002
    flat = sinkhorn_plan(M, reg=1e6)
    np.testing.assert_allclose(flat.coupling, 1 / 400, rtol=1e-4)


@pytest.mark.parametrize("reg", [0.5, 0.05])
def test_unbalanced_plan_satisfies_its_first_order_conditions(xp, reg):
    # M + reg log(P / ab) + τ (log(row / a) + log(column / b)) = 0, entry by entry
    M, tau = costs(), 0.7
    plan = sinkhorn_plan(xp.asarray(M), reg=reg, marginal_reg=tau, tol=1e-10)
    P = to_numpy(plan.coupling).astype(np.float64)
    n, m = M.shape
    with np.errstate(divide="ignore"):
        gap = M + reg * np.log(P * n * m)
    gap += tau * (np.log(P.sum(1) * n)[:, None] + np.log(P.sum(0) * m))
    there = P / P.max() > 1e-30
    assert np.abs(gap[there]).max() < (1e-6 if xp.dtype == "float64" else 1e-2)


def test_unbalanced_plan_is_that_of_pot():
    ot = pytest.importorskip("ot")
    M = costs()
    n, m = M.shape
    expected = ot.unbalanced.sinkhorn_unbalanced(
        np.full(n, 1 / n), np.full(m, 1 / m), M, 0.1, 0.5, reg_type="kl", stopThr=1e-13,
        numItermax=10000,
    )  # fmt: skip
    plan = sinkhorn_plan(M, reg=0.1, marginal_reg=0.5, tol=1e-12)
    np.testing.assert_allclose(plan.coupling, expected, atol=1e-9 * expected.max(), rtol=1e-6)


def test_unbalanced_plan_leaves_an_outlier_where_it_is():
    M = costs(n=20, m=20)
    M[0] = 50.0
    P = sinkhorn_plan(M, reg=0.05, marginal_reg=1.0).coupling
    assert P[0].sum() < 1e-3 * P[1:].sum(1).mean()


# Maps.


def test_barycentric_map_averages_by_mass_and_leaves_the_rest_where_it_is(xp):
    P = xp.asarray(np.array([[0.25, 0.25], [0.0, 0.0], [0.0, 0.25]]))
    Y = xp.asarray(np.array([[0.0], [4.0]]))
    X = xp.asarray(np.array([[7.0], [9.0], [0.0]]))
    mass = xp.asarray(np.array([0.5, 0.5, 0.5]))
    np.testing.assert_allclose(to_numpy(barycentric_map(P, Y, X, mass)), [[2.0], [9.0], [2.0]])


def unbalanced_in_the_log_domain(M, reg, marginal_reg, rounds=500):
    """Proximal steps on logarithms of whole rows and columns, twenty times slower and never NaN."""
    n, m = M.shape
    power = marginal_reg / (marginal_reg + reg)
    f, g = np.zeros(n), np.zeros(m)
    for _ in range(rounds):
        g = -power * reg * logsumexp((f[:, None] - M) / reg - np.log(n), axis=0)
        f = -power * reg * logsumexp((g - M) / reg - np.log(m), axis=1)
    return np.exp((f[:, None] + g - M) / reg) / (n * m)


@pytest.mark.parametrize("side", ["row", "column"])
@pytest.mark.parametrize("distance", [1e2, 1e3, 1e8])
def test_unbalanced_plan_with_a_row_far_away_is_that_of_the_log_domain(xp, distance, side):
    rng = np.random.default_rng(0)
    M = rng.uniform(size=(30, 20)) * 3.0
    M[(0, slice(None)) if side == "row" else (slice(None), 0)] += distance
    plan = sinkhorn_plan(xp.asarray(M), reg=0.1, marginal_reg=1.0, tol=1e-10)
    expected = unbalanced_in_the_log_domain(M, 0.1, 1.0)
    np.testing.assert_allclose(to_numpy(plan.coupling), expected, rtol=1e-5, atol=1e-9)
    assert plan.marginal_error <= 1e-5
    assert all(np.isfinite(to_numpy(p)).all() for p in plan.potentials)


@pytest.mark.parametrize("marginal_reg", [None, 1.0])
def test_a_plan_beyond_the_precision_is_an_error_and_never_nan(marginal_reg):
    M = np.random.default_rng(0).uniform(size=(20, 20))
    with pytest.raises(ValueError, match="further apart than float64 can hold"):
        sinkhorn_plan(M, reg=1e-100, marginal_reg=marginal_reg)


def test_an_exact_plan_needs_no_entropic_one(monkeypatch):
    # Where the rough entropic plan overflows, all pairs are solved at once.
    monkeypatch.setattr("skda._numerics._transport._SPARSE_FROM", 1)
    M = np.random.default_rng(0).uniform(size=(50, 50))
    expected = exact_plan(M).cost
    monkeypatch.setattr("skda._numerics._transport._ROUGH_REG", 1e-100)
    assert exact_plan(M).cost == pytest.approx(expected, rel=1e-12)
