"""The quadratic program behind KMM and KLIEP."""

import math

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from skda._numerics import _box_qp
from skda._numerics._box_qp import BoxSlab, Start, solve_box_qp, start_from_halves


def random_qp(n, rank, seed):
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n, rank))
    return F @ F.T, F @ rng.normal(size=rank) + 0.1 * rng.normal(size=n)


def part_of(Q):
    return lambda rows: Q[np.ix_(rows, rows)]


def project_by_bisection(z, upper, low, high):
    x = np.clip(z, 0, upper)
    if low <= x.sum() <= high:
        return x
    wanted = low if x.sum() < low else high
    a, b = -abs(z).max() - min(upper, wanted) - 1, abs(z).max() + 1
    for _ in range(200):
        nu = (a + b) / 2
        a, b = (nu, b) if np.clip(z - nu, 0, upper).sum() > wanted else (a, nu)
    return np.clip(z - nu, 0, upper)


@pytest.mark.parametrize("upper", [0.7, 3.0, math.inf])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (4.0, 5.0), (9.0, 9.0), (0.0, math.inf)])
def test_projection_equals_bisection(upper, bounds):
    for seed in range(10):
        z = np.random.default_rng(seed).normal(size=20)
        found = BoxSlab(upper, *bounds).project(z)
        np.testing.assert_allclose(found, project_by_bisection(z, upper, *bounds), atol=1e-10)


def test_projection_with_ties_and_all_entries_at_a_bound():
    slab = BoxSlab(2.0, 6.0, 6.0)
    np.testing.assert_allclose(slab.project(np.array([1.0, 1.0, 1.0])), [2.0, 2.0, 2.0])
    np.testing.assert_allclose(slab.project(np.array([-5.0, -5.0, 9.0, 9.0])), [1.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(BoxSlab(2.0, 0.0, 0.0).project(np.array([3.0, 1.0])), [0.0, 0.0])


@pytest.mark.parametrize("min_size", [8, 2048])
@pytest.mark.parametrize("rank", [3, 30, 60])
@pytest.mark.parametrize(
    "feasible",
    [
        BoxSlab(),
        BoxSlab(0.5),
        BoxSlab(1.0, 10.0, 12.0),
        BoxSlab(1000.0, 25.0, 25.0),
        BoxSlab(2.0, 0.0, 1.0),
    ],
)
def test_solution_meets_constraints_and_beats_a_convex_solver(feasible, rank, min_size):
    cvxpy = pytest.importorskip("cvxpy")
    Q, c = random_qp(30, rank, seed=rank)
    if rank < 30:
        c = Q @ np.ones(30)  # else unbounded below
    start = start_from_halves(part_of(Q), c, feasible, min_size=min_size)
    found = solve_box_qp(Q, c, feasible, start=start, tol=1e-7)
    x = found.x
    assert found.converged and feasible.residual(x, Q @ x - c) <= 1e-7
    assert x.min() >= 0 and x.max() <= feasible.upper + 1e-9
    assert feasible.low - 1e-9 <= x.sum() <= feasible.high + 1e-9
    z = cvxpy.Variable(30)
    walls = [z >= 0, cvxpy.sum(z) >= feasible.low]
    walls += [z <= feasible.upper] if math.isfinite(feasible.upper) else []
    walls += [cvxpy.sum(z) <= feasible.high] if math.isfinite(feasible.high) else []
    values, vectors = np.linalg.eigh(Q)
    root = np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
    goal = cvxpy.Minimize(0.5 * cvxpy.sum_squares(root @ z) - c @ z)
    optimum = cvxpy.Problem(goal, walls).solve(solver="CLARABEL")
    assert 0.5 * x @ Q @ x - c @ x <= optimum + 1e-6 * abs(optimum)


def test_every_backend_solves_the_same_problem(xp):
    Q, c = random_qp(40, 60, seed=1)
    wanted = solve_box_qp(Q, c, BoxSlab(0.4, 3.0, 4.0), tol=1e-7)
    found = solve_box_qp(xp.asarray(Q), xp.asarray(c), BoxSlab(0.4, 3.0, 4.0), tol=1e-7)
    assert found.x.dtype == xp.asarray(c).dtype
    atol = 1e-3 if xp.dtype == "float32" else 1e-8
    np.testing.assert_allclose(xp.to_numpy(found.x), wanted.x, atol=atol)


def test_a_start_does_not_change_the_solution():
    Q, c = random_qp(40, 60, seed=2)
    rng = np.random.default_rng(0)
    wanted = solve_box_qp(Q, c, BoxSlab(1.0), tol=1e-8).x
    for _ in range(5):
        start = rng.uniform(-1, 2, size=40)
        found = solve_box_qp(Q, c, BoxSlab(1.0), start=Start(start), tol=1e-8).x
        np.testing.assert_allclose(found, wanted, atol=1e-7)


def narrow_kernel_qp(n=1500):
    X = np.random.default_rng(3).normal(size=(n, 8))
    kernel = rbf_kernel(X, gamma=1.0)
    return kernel, 1.5 * kernel[:, : n // 2].sum(axis=1)


@pytest.mark.parametrize(
    "feasible", [BoxSlab(1000.0), BoxSlab(2.0), BoxSlab(1000.0, 1800.0, 1800.0)]
)
def test_conjugate_gradients_and_factors_find_the_same_solution(feasible, monkeypatch):
    Q, c = narrow_kernel_qp()
    with monkeypatch.context() as patch:
        patch.setattr(_box_qp, "_CHEAP_FACTOR_SIZE", len(c))
        wanted = solve_box_qp(Q, c, feasible, tol=1e-7)
    with monkeypatch.context() as patch:  # no factor is taken: no second matrix in memory
        patch.delattr(_box_qp, "spd_solve")
        found = solve_box_qp(Q, c, feasible, tol=1e-7)
    assert wanted.converged and found.converged
    assert feasible.residual(found.x, Q @ found.x - c) <= 1e-7
    np.testing.assert_allclose(found.x, wanted.x, atol=1e-6)


@pytest.mark.parametrize("min_size", [500, 2048])
def test_slow_gradients_give_way_to_factors(min_size, monkeypatch):
    n = 1500
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n, 3))
    Q = rbf_kernel(X, gamma=0.02) + 1e-6 * np.eye(n)  # condition number about 1e9
    c = rbf_kernel(X, 1.0 + 0.7 * rng.normal(size=(n, 3)), gamma=0.02).sum(axis=1)
    sizes = []
    factor = _box_qp.spd_solve
    monkeypatch.setattr(_box_qp, "spd_solve", lambda A, B: sizes.append(len(A)) or factor(A, B))
    start = start_from_halves(part_of(Q), c, BoxSlab(1000.0), min_size=min_size)
    found = solve_box_qp(Q, c, BoxSlab(1000.0), start=start)
    assert found.converged and found.residual <= 1e-5
    assert sizes and max(sizes) < n
