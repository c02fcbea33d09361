"""Convex quadratic programs over a box cut by a slab, to the accuracy of their KKT conditions.

A proximal-point method with a shrinking ridge; each of its subproblems is solved by a primal-dual
active set (semismooth Newton) method: guess which bounds hold, solve one linear system on the free
entries, correct the guess. A handful of systems replaces thousands of gradient steps where the
matrix is nearly singular, as kernel matrices are at wide bandwidths.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .._array._backend import backend_of, itemsize, namespace, to_numpy
from .._array._rows import row_tiles, take_rows
from ._linalg import spd_solve, symmetric_times
from ._threads import limit_blas_threads

_MAX_GUESSES = 40
_PATIENCE = 3
_ROUGH = 1e-6  # residual of the free entries, relative to c, while the guess still changes
_FEW = 1024  # free entries up to which a Cholesky factor is cheap


class BoxSlab(NamedTuple):
    """The set ``0 <= x_i <= upper``, ``low <= sum(x) <= high``."""

    upper: float = math.inf
    low: float = 0.0
    high: float = math.inf

    def project(self, z):
        """Nearest point of the set to z: ``clip(z - nu, 0, upper)`` with the exact nu."""
        nu = self.shift(z)
        return namespace(z).clip(z - nu if nu else z, min=0.0, max=self.upper)

    def shift(self, z):
        """The nu of :meth:`project`: negative where the sum is held up, positive where down."""
        total = float(namespace(z).sum(namespace(z).clip(z, min=0.0, max=self.upper)))
        if self.low <= total <= self.high:
            return 0.0
        return _shift_to_sum(to_numpy(z), self.upper, self.low if total < self.low else self.high)

    def residual(self, x, gradient):
        """Largest entry of ``|x - project(x - gradient)|``: zero at a solution and only there."""
        xp = namespace(x)
        return float(xp.max(xp.abs(x - self.project(x - gradient))))


def _shift_to_sum(z, upper, total):
    """The nu with ``sum(clip(z - nu, 0, upper)) = total``.

    The sum falls piecewise linearly in nu, with knots at z and z - upper. Sorting finds the piece;
    nu then follows from the entries strictly inside the box, so that nothing cancels.
    """
    z = z.astype(np.float64)
    knots = np.concatenate([z, z - upper]) if math.isfinite(upper) else z
    order = np.argsort(-knots)
    knots = knots[order]
    inside = np.cumsum(np.where(order < len(z), 1, -1))  # entries inside, just below each knot
    sums = np.concatenate([[0.0], np.cumsum(-np.diff(knots) * inside[:-1])])
    piece = min(int(np.searchsorted(sums, total)), len(knots) - 1)
    if piece == 0:
        return float(knots[0])
    middle = 0.5 * (knots[piece - 1] + knots[piece])
    if math.isfinite(upper) or piece < len(knots) - 1 or total <= sums[-1]:
        free = (z > middle) & (z - upper < middle)
    else:  # beyond the last knot, with no upper bound: every entry is inside
        free = np.ones(len(z), dtype=bool)
    if not free.any():
        return float(middle)
    at_upper = upper * float((z - upper >= middle).sum()) if math.isfinite(upper) else 0.0
    return float((z[free].sum() + at_upper - total) / free.sum())


class Start(NamedTuple):
    """Where to start, and whether conjugate gradients are known to be slow.

    The bounds that hold at the projection of the hint are the first guess of those that will hold
    in the end; without a hint it is a gradient step from x.
    """

    x: Any
    hint: Any = None
    slow: bool = False


class BoxQPSolution(NamedTuple):
    """Minimizer, its KKT residual, and what it took: proximal steps and linear systems."""

    x: Any
    residual: float
    converged: bool
    n_iter: int
    n_systems: int


def solve_box_qp(
    Q, c, feasible, *, reg=0.0, start=None, tol=1e-5, polish=0, max_iter=100, refill=None
):
    """Minimize ``xᵀ(Q + reg I)x/2 - cᵀx`` over a :class:`BoxSlab`.

    Parameters
    ----------
    Q : array of shape (n, n)
        Symmetric positive semi-definite.
    c : array of shape (n,)
        Linear term.
    feasible : BoxSlab
        Bounds on the entries and on their sum.
    reg : float
        Added to the diagonal of Q, without a copy of it.
    start : Start, default=None
        Where to start; see :func:`start_from_halves`.
    tol : float
        KKT residual (:meth:`BoxSlab.residual`) at which to stop; not below what the precision of
        the gradient allows.
    polish : int
        Largest number of further proximal steps once `tol` is reached. Where Q is nearly singular
        a small residual still allows an objective far from the optimum, relative to its size.
    max_iter : int
        Largest number of proximal steps.
    refill : callable, default=None
        Fills its argument with Q. Large factors are then worked out in the memory of Q itself, and
        Q is filled again.

    Returns
    -------
    solution : BoxQPSolution
    """
    xp = namespace(Q, c)

    def gradient_at(x):
        return symmetric_times(Q, x) + x * reg - c

    eps = float(xp.finfo(c.dtype).eps)
    if start is None:
        start, _ = _without_bounds(Q, c, reg)
    x, hint = feasible.project(start.x), start.hint
    solver = _FreeSolver(Q, x, n_least=math.inf if start.slow else _FEW, refill=refill)
    gradient = gradient_at(x)
    if start.slow:
        hint = _half_freed(x, x - gradient)
    scale = _largest_row_sum(Q) + reg
    tol = max(tol, 8.0 * eps * float(xp.max(xp.abs(c))))
    least = 100.0 * eps * scale
    ridge, floor = max(1e-8 * scale, least), least
    value = _objective(x, gradient, c)
    residual = feasible.residual(x, gradient)
    accuracy = max(1e-4 * tol, 4.0 * eps * float(xp.max(xp.abs(c))))
    n_systems = n_iter = 0
    n_polish = 0
    while n_iter < max_iter and (residual > tol or n_polish < polish):
        n_iter += 1
        n_polish += residual <= tol
        hint = x - gradient if hint is None else hint
        pull = c + x * ridge
        try:
            guess = _prox_by_active_set(Q, pull, reg + ridge, hint, feasible, solver, accuracy)
        except ValueError:  # not definite with this ridge, to working precision
            if ridge > scale:
                raise
            ridge = floor = ridge * 10.0
            continue
        hint = None
        n_systems += guess.n_systems
        moved = feasible.project(guess.x)
        gradient_moved = gradient_at(moved)
        value_moved = _objective(moved, gradient_moved, c)
        step = moved - x
        if value_moved + 0.5 * ridge * float(xp.sum(step * step)) > value + 1e-12 * abs(value):
            if ridge > scale:  # the set does not settle: a gradient step always descends
                x = feasible.project(x - gradient / scale)
                gradient = gradient_at(x)
                value, residual = _objective(x, gradient, c), feasible.residual(x, gradient)
                ridge = 1e-2 * scale
            else:
                ridge = floor = ridge * 10.0
            continue
        x, gradient, value = moved, gradient_moved, value_moved
        residual = feasible.residual(x, gradient)
        if not guess.settled:
            ridge = floor = ridge * 2.0
        else:
            if ridge <= 1e-10 * scale or residual <= 1e-3 * tol:
                n_polish = polish  # nothing more to gain
            floor = max(0.3 * floor, least)  # what failed may settle from a better start
            ridge = max(ridge * (1e-3 if guess.n_systems <= 3 else 1e-2), floor)
    return BoxQPSolution(x, residual, residual <= tol, n_iter, n_systems)


def start_from_halves(matrix, c, feasible, *, fewest, reg=0.0):
    """Find a start from the solution on every second entry, where conjugate gradients are slow.

    Each of these entries stands for itself and its neighbor. Their program in turn starts from
    every second one of them, and so on. Only one part of the matrix is held at a time.

    Parameters
    ----------
    matrix : callable
        Returns the part of the matrix on an array of indices, rows and columns.
    c : array of shape (n,)
        Linear term.
    feasible, reg
        Of :func:`solve_box_qp`.
    fewest : int
        Entries up to which nothing is to be gained, nor by threads of the linear algebra.

    Returns
    -------
    start : Start or None
        None for so few entries, and where gradients are fast.
    """
    n = c.shape[0]
    if n <= fewest:
        return None
    rows = np.arange(0, n, 2)
    share = len(rows) / n
    pull, reg = take_rows(c, rows), reg * share
    bounds = feasible._replace(upper=feasible.upper / share)
    start = start_from_halves(lambda some: matrix(rows[some]), pull, bounds, fewest=fewest, reg=reg)
    part = matrix(rows)
    with limit_blas_threads(len(rows) <= fewest):
        plain, residuals = _without_bounds(part, pull, reg)
        if residuals[-1] <= 0.01 * residuals[min(2, len(residuals) - 1)]:
            return None
        tol = _ROUGH * float(namespace(c).max(namespace(c).abs(c)))
        found = solve_box_qp(part, pull, bounds, reg=reg, start=start or plain, tol=tol)
    return Start(_spread(found.x, rows, n), slow=True)


def _without_bounds(Q, c, ridge):
    """Start from eight steps without any bound, which say roughly those that hold; residuals."""
    x = namespace(Q).ones_like(c)
    x, residuals = _conjugate_gradient(Q, c, x=x, ridge=ridge, n_steps=8)
    return Start(x, hint=x), residuals


def _half_freed(x, stepped):
    """Return where a step led, without the lesser half of the entries that it took off zero.

    Of every second entry left at zero, many want to move, and fewer once the first have moved.
    """
    z = to_numpy(stepped).copy()
    freed = (to_numpy(x) <= 0) & (z > 0)
    if freed.any():
        z[freed & (z <= np.median(z[freed]))] *= -1.0
    return backend_of(x).asarray(z)


def _largest_row_sum(Q):
    """Largest sum of the absolute values of a row, at least the largest eigenvalue; in tiles."""
    xp = namespace(Q)
    tiles = row_tiles(Q.shape[0], Q.shape[1] * itemsize(Q), least=16)
    return max(float(xp.max(xp.sum(xp.abs(Q[rows, :]), axis=1))) for rows in tiles)


def _objective(x, gradient, c):
    return 0.5 * float(namespace(x).sum(x * (gradient - c)))


class _Guess(NamedTuple):
    x: Any
    settled: bool
    n_systems: int


def _conjugate_gradient(Q, c, *, x, n_steps, ridge=0.0, mask=1.0, wanted=0.0):
    """Steps from x towards ``(Q + ridge I) x = c`` on the entries where the mask is 1.

    They end at a largest residual of `wanted`, after `n_steps`, or as soon as the pace of the last
    eight would take more than those. Returns x and the residual before and after each step.
    """
    xp = namespace(Q)
    x = x * mask
    rest = (c - symmetric_times(Q, x) - x * ridge) * mask
    residuals = [float(xp.max(xp.abs(rest)))]
    direction, size = rest, float(xp.sum(rest * rest))
    for n_done in range(n_steps):
        if residuals[-1] <= wanted:
            break
        if wanted and n_done and n_done % 8 == 0:
            gained = math.log(residuals[-9] / residuals[-1])
            if gained * (n_steps - n_done) < math.log(residuals[-1] / wanted) * 8:
                break
        pull = (symmetric_times(Q, direction) + direction * ridge) * mask
        curvature = float(xp.sum(direction * pull))
        if curvature <= 0:
            break
        x = x + direction * (size / curvature)
        rest = rest - pull * (size / curvature)
        old, size = size, float(xp.sum(rest * rest))
        direction = rest + direction * (size / old)
        residuals.append(float(xp.max(xp.abs(rest))))
    return x, residuals


def _prox_by_active_set(Q, c, ridge, hint, feasible, solver, accuracy):
    """Minimize ``xᵀ(Q + ridge I)x/2 - cᵀx`` by guessing which bounds hold, until they agree.

    The first guess is what holds at the projection of the hint. A guess lives on the host as -1
    (at 0), 0 (free), 1 (at upper) for each entry, and as -1, 0, 1 for the slab; x may be
    infeasible if the guesses did not settle. While they change the free entries are found roughly
    where that is cheaper, and to `accuracy` once they agree.
    """
    xp = namespace(Q)
    backend = backend_of(Q)
    upper, low, high = feasible
    nu = feasible.shift(hint)
    z = to_numpy(hint) - nu
    state = np.where(z <= 0, -1, np.where(z >= upper, 1, 0))
    slab, fewest, patience = int(np.sign(nu)), len(state) + 2, _PATIENCE
    wanted = max(_ROUGH * float(xp.max(xp.abs(c))), accuracy)
    for n_systems in range(1, _MAX_GUESSES + 1):
        at_upper = state == 1
        fixed = backend.asarray(np.where(at_upper, upper if at_upper.any() else 0.0, 0.0), c.dtype)
        pull = c - symmetric_times(Q, fixed) if at_upper.any() else c
        to_sum = (low if slab < 0 else high) - float(xp.sum(fixed)) if slab else None
        free, nu, reached = solver.solve(pull, state == 0, ridge, to_sum=to_sum, wanted=wanted)
        x = fixed + free
        pressure = to_numpy(symmetric_times(Q, x) + x * ridge - c) + nu
        values = to_numpy(x)
        wrong = _violations(state, values, pressure, upper)
        new_slab = _slab_state(slab, float(values.sum()), nu, low, high)
        n_wrong = int((wrong > 0).sum()) + (new_slab != slab)
        if n_wrong == 0:
            if reached <= accuracy:
                return _Guess(x, True, n_systems)
            wanted = accuracy
            continue
        if n_wrong < fewest:
            fewest, patience = n_wrong, _PATIENCE
        else:
            patience -= 1
        if patience < -_PATIENCE or n_wrong > max(2 * fewest, len(state) // 4):
            break
        if patience < 0:  # all at once goes round in circles: mend only the worst
            few = max(1, n_wrong // 4)
            wrong[np.argsort(wrong)[:-few]] = 0.0
            wanted = accuracy
        beyond = np.where(values < 0, -1, 1)
        state = np.where(wrong > 0, np.where(state == 0, beyond, 0), state)
        slab = new_slab
    return _Guess(x, False, n_systems)


class _FreeSolver:
    """Solves ``(Q + ridge I) x = pull`` on the free entries, for one set of them after another.

    Many free entries go by conjugate gradients, which need no second matrix and start at the last
    solution. Few ones go by a Cholesky factor of their part of Q, and so does everything once the
    gradients have proved slow, save that the first two sets of more than half the entries are left
    as they are: a factor of these would cost more than all that follow. Where gradients are known
    to be slow from the beginning, sets of that size try them all the same, until they fail.
    """

    def __init__(self, Q, x, *, n_least, refill=None):
        self.Q = Q
        self.x = x
        self.slope = namespace(Q).zeros_like(x)  # of x in the slab's multiplier
        self.n_least = n_least
        self.slow_at = 0.0  # ridge at which gradients were slow on most entries
        self.n_rough = 2
        self.refill = refill if backend_of(Q).is_numpy else None

    def solve(self, pull, free, ridge, *, to_sum, wanted):
        """Solve with as much of a multiplier nu as brings the sum of x to `to_sum`, if not None.

        Returns x with zeros at the other entries, nu, and the largest residual.
        """
        xp = namespace(self.Q)
        rows = np.flatnonzero(free)
        if not len(rows):
            return xp.zeros_like(pull), 0.0, 0.0
        sides = [pull] if to_sum is None else [pull, xp.ones_like(pull)]
        reached = math.inf
        many = 2 * len(rows) > len(free)
        if len(rows) > self.n_least or (many and ridge > self.slow_at):
            mask = backend_of(self.Q).asarray(free, pull.dtype)
            starts = (self.x, self.slope)
            n_steps = len(rows) // (24 if many else 48)  # as dear as a Cholesky factor
            solved = [
                _conjugate_gradient(
                    self.Q, side, ridge=ridge, x=start, mask=mask, wanted=wanted, n_steps=n_steps
                )
                for side, start in zip(sides, starts, strict=False)
            ]
            reached = max(residuals[-1] for _, residuals in solved)
            columns = [x for x, _ in solved]
            if reached > wanted and many and self.n_rough and self.n_least < math.inf:
                self.n_rough -= 1  # enough to see most of those that will not stay free
            elif reached > wanted:
                self.n_least, self.slow_at = math.inf, ridge
        if reached > wanted and len(rows) <= self.n_least:
            columns, reached = self._by_factor(sides, rows, ridge), 0.0
        self.x = columns[0]
        if to_sum is None:
            return self.x, 0.0, reached
        self.slope = columns[1]
        nu = (float(xp.sum(self.x)) - to_sum) / float(xp.sum(self.slope))
        return self.x - self.slope * nu, nu, reached

    def _by_factor(self, sides, rows, ridge):
        xp = namespace(self.Q)
        right = take_rows(xp.stack(sides, axis=1), rows)
        within = self.refill is not None and 2 * len(rows) > self.Q.shape[0]
        part = _submatrix(self.Q, rows, ridge, within=within)
        try:
            solved = spd_solve(part, right)
        finally:
            if within:
                self.refill(self.Q)
        return [_spread(solved[:, i], rows, self.Q.shape[0]) for i in range(len(sides))]


def _violations(state, values, pressure, upper):
    """By how much each entry contradicts the guess: outside the box, or pushed off its bound."""
    outside = np.maximum(-values, values - upper)
    pushed = np.where(state < 0, -pressure, pressure)
    slack = 1e-14 * max(1.0, float(np.abs(pressure).max()))
    return np.where(state == 0, np.maximum(outside, 0.0), np.where(pushed > slack, pushed, 0.0))


def _spread(values, rows, n):
    """Vector of n entries with these values at these rows and zeros elsewhere."""
    xp = namespace(values)
    index = np.full(n, len(rows))
    index[rows] = np.arange(len(rows))
    return take_rows(xp.concat([values, xp.zeros_like(values[:1])]), index)


def _submatrix(Q, rows, ridge, *, within=False):
    """Rows and columns of Q, plus a ridge, in a buffer of that size or in the memory of Q.

    Within Q row i of k goes to an earlier place than where the next one is read.
    """
    xp = namespace(Q)
    k = len(rows)
    columns = backend_of(Q).asarray(rows)
    if within:
        A = xp.reshape(xp.reshape(Q, (-1,))[: k * k], (k, k))
    else:
        A = xp.empty((k, k), dtype=Q.dtype, device=backend_of(Q).device)
    for tile in row_tiles(k, Q.shape[1] * itemsize(Q)):
        A[tile, :] = xp.take(take_rows(Q, rows[tile]), columns, axis=1)
    diagonal = xp.reshape(A, (-1,))[:: k + 1]  # a view, since A is contiguous
    diagonal += ridge
    return A


def _slab_state(slab, total, nu, low, high):
    """Next guess for the slab: -1 the sum is held up at low, 1 held down at high, 0 neither."""
    if slab == 0:
        return -1 if total < low else 1 if total > high else 0
    return slab if nu * slab > 0 or low == high else 0
