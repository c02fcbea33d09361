"""Quadratic programs of low rank against the solver that holds the whole matrix."""

import numpy as np
import pytest

from skda._array._backend import to_numpy
from skda._numerics._box_qp import BoxSlab, solve_box_qp
from skda._numerics._low_rank_qp import solve_low_rank_box_qp


def program(seed, n=60, rank=8):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, rank))
    return factor, factor @ rng.normal(size=rank) + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reg", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(
    "feasible",
    [
        BoxSlab(),
        BoxSlab(0.05),
        BoxSlab(1.0, 10.0, 12.0),
        BoxSlab(1000.0, 25.0, 25.0),
        BoxSlab(2.0, 0.0, 1.0),
    ],
)
def test_same_solution_as_with_the_whole_matrix(feasible, reg, seed):
    factor, c = program(seed)
    found = solve_low_rank_box_qp(factor, c, feasible, reg=reg, tol=1e-8)
    expected = solve_box_qp(factor @ factor.T, c, feasible, reg=reg, tol=1e-8, polish=5)
    assert found.converged and found.n_iter < 60
    np.testing.assert_allclose(found.x, expected.x, atol=1e-5 * max(1.0, expected.x.max()))


def test_every_backend_solves_the_same_problem(xp):
    factor, c = program(0)
    feasible = BoxSlab(1.0, 10.0, 12.0)
    expected = solve_low_rank_box_qp(factor, c, feasible, reg=1.0)
    found = solve_low_rank_box_qp(xp.asarray(factor), xp.asarray(c), feasible, reg=1.0)
    np.testing.assert_allclose(to_numpy(found.x), expected.x, atol=1e-6)


def test_too_few_steps_are_reported():
    factor, c = program(1)
    found = solve_low_rank_box_qp(factor, c, BoxSlab(1.0, 10.0, 12.0), reg=0.01, max_iter=0)
    assert not found.converged and found.n_iter == 0 and found.residual > 1e-5
