"""Quadratic programs over a box cut by a slab whose matrix is of low rank plus a ridge.

The dual has one variable for each column of the factor, and is solved by Newton's method: a few
systems of that size, and products with the factor, in the place of a matrix of n x n.
"""

from .._array._backend import device_of, namespace
from .._array._watch import unwatched
from ._box_qp import BoxQPSolution
from ._linalg import spd_solve

_ENOUGH_RISE = 1e-4  # of the rise that the slope promises, for a step to be accepted (Armijo)
_SHORTEST_STEP = 1e-10  # below which rounding decides, and the search has come to its end
_INSIDE = 1e-12  # relative distance from a bound within which an entry counts as held by it


def solve_low_rank_box_qp(
    factor, c, feasible, *, reg, tol=1e-5, max_iter=100, round_task=unwatched
):
    """Minimize ``xᵀ(FFᵀ + reg I)x/2 - cᵀx`` over a :class:`~skda._numerics._box_qp.BoxSlab`.

    With v for Fᵀx the dual is ``max_v -‖v‖²/2 + min_x (reg ‖x‖²/2 - (c - Fv)ᵀx)``, whose inner
    minimum is the projection of (c - Fv)/reg. It is concave and once differentiable, and steps of
    Newton with its generalized second derivative end on the solution.

    Parameters
    ----------
    factor : array of shape (n, m)
        F.
    c : array of shape (n,)
        Linear term.
    feasible : BoxSlab
        Bounds on the entries and on their sum.
    reg : float
        Ridge, above 0.
    tol : float
        KKT residual (:meth:`~skda._numerics._box_qp.BoxSlab.residual`) at which to stop.
    max_iter : int
        Largest number of steps.
    round_task : callable
        Opens the task of a step, for callbacks.

    Returns
    -------
    solution : BoxQPSolution
    """
    xp = namespace(factor)
    v = xp.zeros(factor.shape[1], dtype=factor.dtype, device=device_of(factor))
    field = c  # c - Fv
    x, value = _inner(field, v, feasible, reg)
    residuals, stops = [], False
    for n_iter in range(max_iter + 1):
        image = factor.T @ x
        residual = feasible.residual(x, factor @ image + x * reg - c)
        residuals.append(residual)
        if residual <= tol or n_iter == max_iter or stops:
            break
        slope = image - v
        with round_task() as task:
            step = spd_solve(_curvature(factor, x, field, feasible, reg), slope)
        stops = task.stops
        rise, change, length = float(slope @ step), factor @ step, 1.0
        while True:
            new = _inner(field - change * length, v + step * length, feasible, reg)
            if new[1] >= value + _ENOUGH_RISE * length * rise or length < _SHORTEST_STEP:
                break
            length *= 0.5
        if length < _SHORTEST_STEP:  # rounding: no better point is to be had in this precision
            break
        v, field, (x, value) = v + step * length, field - change * length, new
    return BoxQPSolution(x, residual, residual <= tol, n_iter, n_iter, tuple(residuals))


def _inner(field, v, feasible, reg):
    """Return the minimizer x of the Lagrangian at v, and the dual's value."""
    x = feasible.project(field / reg)
    return x, float(0.5 * reg * (x @ x) - field @ x - 0.5 * (v @ v))


def _curvature(factor, x, field, feasible, reg):
    """Return ``I + FᵀJF/reg``, J the generalized derivative of the projection."""
    xp = namespace(factor)
    room = _INSIDE * max(1.0, float(xp.max(x)))
    free = (x > room) & (x < feasible.upper - room)
    part = factor * xp.astype(free, factor.dtype)[:, None]
    gram = part.T @ part
    if feasible.shift(field / reg) != 0:
        # The sum is held, so that a shift common to all free entries changes nothing.
        total = xp.sum(part, axis=0)
        gram = gram - total[:, None] * (total / max(float(xp.sum(xp.astype(free, x.dtype))), 1.0))
    return gram / reg + xp.eye(gram.shape[0], dtype=gram.dtype, device=device_of(gram))
