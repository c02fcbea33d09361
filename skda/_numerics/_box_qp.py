"""Convex quadratic programs over a box cut by a slab, to the accuracy of their KKT conditions.

A proximal-point method with a shrinking ridge; each of its subproblems is solved by a primal-dual
active set (semismooth Newton) method: assume which bounds hold, solve one linear system on the
free entries, correct the assumption. A handful of systems replaces thousands of gradient steps
where the matrix is nearly singular, as kernel matrices are at wide bandwidths.

Why not an off-the-shelf solver: general ones (OSQP, Clarabel) are further dependencies, run on
NumPy arrays on the host only, and are made for sparse programs: of a dense kernel matrix they keep
copies and factors of a larger system, while here one matrix of n x n is held. First-order methods
(projected gradients, SMO) need little memory, but many steps where the matrix is ill-conditioned.
This solver needs only products with the matrix and solutions of positive definite systems, which
every array library has, and stops on the optimality conditions. The tests hold it to Clarabel's
optimum.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .._array._backend import backend_of, itemsize, namespace, to_numpy
from .._array._rows import row_tiles, take_rows
from .._array._watch import unwatched
from ._linalg import spd_solve, symmetric_times
from ._threads import limit_blas_threads

# The ridge of the proximal steps. All of these are relative to the largest row sum of |Q|, a cheap
# bound on the largest eigenvalue.
_FIRST_RIDGE = 1e-8  # small enough for few proximal steps, large enough for a Cholesky factor
_LEAST_RIDGE_EPS = 100.0  # times machine epsilon: below it rounding makes Q + ridge I indefinite
_NEGLIGIBLE_RIDGE = 1e-10  # a step with so small a ridge has solved the program itself
_RIDGE_AFTER_GRADIENT_STEP = 1e-2  # start again from well-conditioned subproblems

# How the ridge changes from one proximal step to the next.
_LOWER_FAST = 1e-3  # after a subproblem that took few systems: the next may be harder
_LOWER = 1e-2  # after one that took more
_FEW_SYSTEMS = 3  # linear systems up to which a subproblem counts as easy
_RAISE_UNSETTLED = 2.0  # the active set did not settle, yet the objective fell: slightly easier
_RAISE_FAILED = 10.0  # no factor, or no descent: much easier
_FORGET_FAILURE = 0.3  # lowers the floor that a failure left: it may settle from a better start

# Accuracies.
_GRADIENT_EPS = 8.0  # times epsilon and max|c|: rounding of the gradient, no residual is below it
_SYSTEM_EPS = 4.0  # the same for the residual of one linear system
_SYSTEM_TOL = 1e-4  # residual of a linear system relative to tol: far below what is tested
_POLISHED = 1e-3  # residual relative to tol below which further steps change nothing visible
_DESCENT_SLACK = 1e-12  # relative rise of the objective that rounding explains
_PRESSURE_SLACK = 1e-14  # relative pressure against a bound that rounding explains
_ROUGH_TOL = 1e-6  # residual of the free entries, relative to c, while the active set changes

# The active set.
_MAX_ACTIVE_SETS = 40  # sets that settle did so within 32 on kernel programs of 120 to 1,400 rows
_PATIENCE = 3  # sets in a row without fewer wrong entries before the changes become cautious
_DIVERGED = 2  # times the fewest wrong entries so far: it runs away from the solution
_CAUTIOUS_PART = 4  # change the worst quarter: also the part of all entries that may be wrong

# Conjugate gradients (CG) or a Cholesky factor: a step of CG costs one product, k² operations, a
# factor k³/3, so that k/24 to k/48 steps, at the lower speed of products, cost as much.
_CHEAP_FACTOR_SIZE = 1024  # free entries up to which a Cholesky factor is cheap
_STEPS_PER_ENTRY_MANY = 24  # CG steps: one per 24 free entries, where most are free
_STEPS_PER_ENTRY_FEW = 48  # where few are, since the product still takes all of Q
_N_ROUGH_SETS = 2  # first sets of most entries left unsolved: their factors would cost the most
_PACE_WINDOW = 8  # steps over which the pace of CG is measured
_N_UNBOUNDED_STEPS = 8  # CG steps without bounds that show which bounds hold, and the pace
_FAST_CG = 0.01  # fall of the residual in these steps from which CG is fast enough alone


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

    The bounds that hold at the projection of `warm_start_point` are the first active set; without
    it that point is a gradient step from x.
    """

    x: Any
    warm_start_point: Any = None
    cg_is_slow: bool = False


class BoxQPSolution(NamedTuple):
    """Minimizer, its KKT residual, and what it took: proximal steps and linear systems."""

    x: Any
    residual: float
    converged: bool
    n_iter: int
    n_systems: int
    residuals: tuple = ()
    """At the start and after each step."""


def solve_box_qp(
    Q,
    c,
    feasible,
    *,
    reg=0.0,
    start=None,
    tol=1e-5,
    polish=0,
    max_iter=100,
    refill=None,
    round_task=unwatched,
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
        Fills its argument with Q. Large factors are then computed in the memory of Q itself, and
        Q is filled again.
    round_task : callable
        Opens the task of a step, for callbacks.

    Returns
    -------
    solution : BoxQPSolution
    """
    start = start or _without_bounds(Q, c, reg)[0]
    steps = _ProximalSteps(Q, c, feasible, reg=reg, start=start, tol=tol, refill=refill)
    n_iter = n_polish = 0
    residuals = [steps.at.residual]
    while n_iter < max_iter and (steps.at.residual > steps.tol or n_polish < polish):
        n_iter += 1
        n_polish += steps.at.residual <= steps.tol
        with round_task() as task:
            goes_on = steps.advance()
        if not goes_on:
            n_polish = polish
        residuals.append(steps.at.residual)
        if task.stops:
            break
    x, residual = steps.at.x, steps.at.residual
    converged = residual <= steps.tol
    return BoxQPSolution(x, residual, converged, n_iter, steps.n_systems, tuple(residuals))


class _Point(NamedTuple):
    """A feasible point with the gradient, the objective and the KKT residual there."""

    x: Any
    gradient: Any
    value: float
    residual: float


class _ProximalSteps:
    """The course of the proximal-point method: the point reached, and the ridge of the next step.

    A step minimizes the objective plus ``ridge ‖x - point‖²/2``. The ridge is lowered after each
    success, for fewer steps, and raised after a failure, for easier ones; `floor` remembers which
    ridge failed.
    """

    def __init__(self, Q, c, feasible, *, reg, start, tol, refill):
        xp = namespace(Q, c)
        self.Q, self.c, self.feasible, self.reg = Q, c, feasible, reg
        eps, size = float(xp.finfo(c.dtype).eps), float(xp.max(xp.abs(c)))
        self.tol = max(tol, _GRADIENT_EPS * eps * size)
        self.accuracy = max(_SYSTEM_TOL * self.tol, _SYSTEM_EPS * eps * size)
        self.at = self._evaluate(feasible.project(start.x))
        self.warm_start_point = start.warm_start_point
        if start.cg_is_slow:
            stepped = self.at.x - self.at.gradient
            self.warm_start_point = _half_freed(self.at.x, stepped)
        max_factor_size = math.inf if start.cg_is_slow else _CHEAP_FACTOR_SIZE
        self.solver = _FreeSolver(Q, self.at.x, max_factor_size=max_factor_size, refill=refill)
        self.scale = _largest_row_sum(Q) + reg
        self.least_ridge = self.floor = _LEAST_RIDGE_EPS * eps * self.scale
        self.ridge = max(_FIRST_RIDGE * self.scale, self.least_ridge)
        self.n_systems = 0

    def advance(self):
        """Take one proximal step; return False if there is nothing more to gain."""
        if self.warm_start_point is None:
            self.warm_start_point = self.at.x - self.at.gradient
        try:
            found = self._minimize()
        except ValueError:  # not definite with this ridge, to working precision
            if self.ridge > self.scale:
                raise
            self._raise_ridge(_RAISE_FAILED)
            return True
        self.warm_start_point = None
        self.n_systems += found.n_systems
        moved = self._evaluate(self.feasible.project(found.x))
        if not self._descends(moved):
            if self.ridge > self.scale:
                self._gradient_step()
            else:
                self._raise_ridge(_RAISE_FAILED)
            return True
        self.at = moved
        if not found.settled:
            self._raise_ridge(_RAISE_UNSETTLED)
            return True
        done = (
            self.ridge <= _NEGLIGIBLE_RIDGE * self.scale or moved.residual <= _POLISHED * self.tol
        )
        self._lower_ridge(found.n_systems)
        return not done

    def _evaluate(self, x):
        gradient = symmetric_times(self.Q, x) + x * self.reg - self.c
        value = 0.5 * float(namespace(x).sum(x * (gradient - self.c)))
        return _Point(x, gradient, value, self.feasible.residual(x, gradient))

    def _minimize(self):
        return _prox_by_active_set(
            self.Q,
            self.c + self.at.x * self.ridge,
            self.reg + self.ridge,
            self.warm_start_point,
            self.feasible,
            self.solver,
            self.accuracy,
        )

    def _descends(self, moved):
        """Return whether the subproblem's objective has not risen, but for rounding."""
        step = moved.x - self.at.x
        proximal = 0.5 * self.ridge * float(namespace(step).sum(step * step))
        return moved.value + proximal <= self.at.value + _DESCENT_SLACK * abs(self.at.value)

    def _gradient_step(self):
        """Step along the gradient, which always descends, where no active set ever settles."""
        self.at = self._evaluate(self.feasible.project(self.at.x - self.at.gradient / self.scale))
        self.ridge = _RIDGE_AFTER_GRADIENT_STEP * self.scale

    def _raise_ridge(self, factor):
        self.ridge = self.floor = self.ridge * factor

    def _lower_ridge(self, n_systems):
        self.floor = max(_FORGET_FAILURE * self.floor, self.least_ridge)
        factor = _LOWER_FAST if n_systems <= _FEW_SYSTEMS else _LOWER
        self.ridge = max(self.ridge * factor, self.floor)


def start_from_halves(matrix, c, feasible, *, min_size, reg=0.0):
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
    min_size : int
        Entries up to which nothing is to be gained, nor by threads of the linear algebra.

    Returns
    -------
    start : Start or None
        None for so few entries, and where gradients are fast.
    """
    n = c.shape[0]
    if n <= min_size:
        return None
    rows = np.arange(0, n, 2)
    kept = len(rows) / n
    linear_term, reg = take_rows(c, rows), reg * kept
    bounds = feasible._replace(upper=feasible.upper / kept)
    start = start_from_halves(
        lambda some: matrix(rows[some]), linear_term, bounds, min_size=min_size, reg=reg
    )
    part = matrix(rows)
    with limit_blas_threads(len(rows) <= min_size):
        unbounded, residuals = _without_bounds(part, linear_term, reg)
        # The first two steps fall fast on any kernel matrix, so the pace is taken after them.
        if residuals[-1] <= _FAST_CG * residuals[min(2, len(residuals) - 1)]:
            return None
        tol = _ROUGH_TOL * float(namespace(c).max(namespace(c).abs(c)))
        found = solve_box_qp(part, linear_term, bounds, reg=reg, start=start or unbounded, tol=tol)
    return Start(_spread(found.x, rows, n), cg_is_slow=True)


def _without_bounds(Q, c, ridge):
    """Start from some steps without any bound, which show roughly those that hold; residuals."""
    x = namespace(Q).ones_like(c)
    x, residuals = _conjugate_gradient(Q, c, x=x, ridge=ridge, n_steps=_N_UNBOUNDED_STEPS)
    return Start(x, warm_start_point=x), residuals


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


def _conjugate_gradient(Q, c, *, x, n_steps, ridge=0.0, mask=1.0, wanted=0.0):
    """Steps from x towards ``(Q + ridge I) x = c`` on the entries where the mask is 1.

    They end at a largest residual of `wanted`, after `n_steps`, or as soon as the pace of the last
    ones would take more than those. Returns x and the residual before and after each step.
    """
    xp = namespace(Q)
    x = x * mask
    rest = (c - symmetric_times(Q, x) - x * ridge) * mask
    residuals = [float(xp.max(xp.abs(rest)))]
    direction, size = rest, float(xp.sum(rest * rest))
    for n_done in range(n_steps):
        if residuals[-1] <= wanted:
            break
        if wanted and n_done and n_done % _PACE_WINDOW == 0:
            gained = math.log(residuals[-1 - _PACE_WINDOW] / residuals[-1])
            missing = math.log(residuals[-1] / wanted)
            if gained * (n_steps - n_done) < missing * _PACE_WINDOW:
                break
        image = (symmetric_times(Q, direction) + direction * ridge) * mask
        curvature = float(xp.sum(direction * image))
        if curvature <= 0:  # Q is singular along it, to working precision
            break
        x = x + direction * (size / curvature)
        rest = rest - image * (size / curvature)
        old, size = size, float(xp.sum(rest * rest))
        direction = rest + direction * (size / old)
        residuals.append(float(xp.max(xp.abs(rest))))
    return x, residuals


class _ProxResult(NamedTuple):
    """Minimizer of a subproblem, whether its active set settled, and the systems it took."""

    x: Any
    settled: bool
    n_systems: int


class _ActiveSet(NamedTuple):
    """The bounds that are assumed to hold: of the box, -1 (at 0), 0 (free), 1 (at upper) for each
    entry, on the host; of the slab, -1 (the sum is held up at low), 0, 1 (down at high)."""

    box: Any
    slab: int

    @classmethod
    def at_projection(cls, z, feasible):
        """Return the bounds that hold at the projection of a point."""
        nu = feasible.shift(z)
        z = to_numpy(z) - nu
        box = np.where(z <= 0, -1, np.where(z >= feasible.upper, 1, 0))
        return cls(box, int(np.sign(nu)))

    def solve(self, Q, c, ridge, feasible, solver, wanted):
        """Solve for the free entries; return x, the slab's multiplier nu and the residual."""
        xp, upper, at_upper = namespace(Q), feasible.upper, self.box == 1
        fixed = np.where(at_upper, upper if at_upper.any() else 0.0, 0.0)
        fixed = backend_of(Q).asarray(fixed, c.dtype)
        linear_term = c - symmetric_times(Q, fixed) if at_upper.any() else c
        required_sum = None
        if self.slab:
            bound = feasible.low if self.slab < 0 else feasible.high
            required_sum = bound - float(xp.sum(fixed))
        free, nu, reached = solver.solve(
            linear_term, self.box == 0, ridge, required_sum=required_sum, wanted=wanted
        )
        return fixed + free, nu, reached

    def flipped(self, wrong, values, slab):
        """Return the set with these entries changed: to the bound they passed, or to free."""
        beyond = np.where(values < 0, -1, 1)
        box = np.where(wrong > 0, np.where(self.box == 0, beyond, 0), self.box)
        return _ActiveSet(box, slab)


def _prox_by_active_set(Q, c, ridge, warm_start_point, feasible, solver, accuracy):
    """Minimize ``xᵀ(Q + ridge I)x/2 - cᵀx`` by correcting an active set until it agrees with x.

    The first active set is what holds at the projection of the warm-start point; x may be
    infeasible if the set did not settle. While it changes the free entries are found roughly
    where that is cheaper, and to `accuracy` once it agrees.
    """
    xp = namespace(Q)
    active = _ActiveSet.at_projection(warm_start_point, feasible)
    n = len(active.box)
    fewest_wrong, patience = n + 2, _PATIENCE
    wanted = max(_ROUGH_TOL * float(xp.max(xp.abs(c))), accuracy)
    for n_systems in range(1, _MAX_ACTIVE_SETS + 1):
        x, nu, reached = active.solve(Q, c, ridge, feasible, solver, wanted)
        pressure = to_numpy(symmetric_times(Q, x) + x * ridge - c) + nu
        values = to_numpy(x)
        wrong = _violations(active.box, values, pressure, feasible.upper)
        slab = _slab_state(active.slab, float(values.sum()), nu, feasible.low, feasible.high)
        n_wrong = int((wrong > 0).sum()) + (slab != active.slab)
        if n_wrong == 0:
            if reached <= accuracy:
                return _ProxResult(x, True, n_systems)
            wanted = accuracy
            continue
        if n_wrong < fewest_wrong:
            fewest_wrong, patience = n_wrong, _PATIENCE
        else:
            patience -= 1
        if patience < -_PATIENCE or n_wrong > max(_DIVERGED * fewest_wrong, n // _CAUTIOUS_PART):
            break
        if patience < 0:  # flipping all of them cycles: flip only the worst
            wrong[np.argsort(wrong)[: -max(1, n_wrong // _CAUTIOUS_PART)]] = 0.0
            wanted = accuracy
        active = active.flipped(wrong, values, slab)
    return _ProxResult(x, False, n_systems)


class _FreeSolver:
    """Solves ``(Q + ridge I) x = linear_term`` on the free entries, for one set after another.

    Many free entries are solved by conjugate gradients, which need no second matrix and start at
    the last solution. Few are solved by a Cholesky factor of their part of Q, and so is everything
    once the gradients have proved slow, except that the first two sets of more than half the
    entries are left as they are: a factor of these would cost more than all that follow. Where
    gradients are known to be slow from the beginning, sets of that size try them all the same,
    until they fail.
    """

    def __init__(self, Q, x, *, max_factor_size, refill=None):
        self.Q = Q
        self.x = x
        self.slope = namespace(Q).zeros_like(x)  # of x in the slab's multiplier
        self.max_factor_size = max_factor_size
        self.cg_slow_at = 0.0  # ridge at which gradients were slow on most entries
        self.n_rough = _N_ROUGH_SETS
        # Only NumPy's linear algebra factors in place; elsewhere refilling would be for nothing.
        self.refill = refill if backend_of(Q).is_numpy else None

    def solve(self, linear_term, free, ridge, *, required_sum, wanted):
        """Solve with as much of a multiplier nu as brings the sum of x to `required_sum`, if any.

        Returns x with zeros at the other entries, nu, and the largest residual.
        """
        xp = namespace(self.Q)
        rows = np.flatnonzero(free)
        if not len(rows):
            return xp.zeros_like(linear_term), 0.0, 0.0
        sides = [linear_term]
        if required_sum is not None:
            sides.append(xp.ones_like(linear_term))
        most = 2 * len(rows) > len(free)
        columns, reached = None, math.inf
        if len(rows) > self.max_factor_size or (most and ridge > self.cg_slow_at):
            columns, reached = self._by_gradients(sides, free, ridge, wanted, most=most)
        if reached > wanted and len(rows) <= self.max_factor_size:
            columns, reached = self._by_factor(sides, rows, ridge), 0.0
        self.x = columns[0]
        if required_sum is None:
            return self.x, 0.0, reached
        self.slope = columns[1]
        nu = (float(xp.sum(self.x)) - required_sum) / float(xp.sum(self.slope))
        return self.x - self.slope * nu, nu, reached

    def _by_gradients(self, sides, free, ridge, wanted, *, most):
        """Solve by conjugate gradients, and note it if they are slow; the residual tells."""
        mask = backend_of(self.Q).asarray(free, sides[0].dtype)
        per_step = _STEPS_PER_ENTRY_MANY if most else _STEPS_PER_ENTRY_FEW
        n_steps = int(free.sum()) // per_step
        solved = [
            _conjugate_gradient(
                self.Q, side, ridge=ridge, x=start, mask=mask, wanted=wanted, n_steps=n_steps
            )
            for side, start in zip(sides, (self.x, self.slope), strict=False)
        ]
        reached = max(residuals[-1] for _, residuals in solved)
        if reached > wanted and most and self.n_rough and self.max_factor_size < math.inf:
            self.n_rough -= 1  # enough to see most of those that will not stay free
        elif reached > wanted:
            self.max_factor_size, self.cg_slow_at = math.inf, ridge
        return [x for x, _ in solved], reached

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
    """By how much each entry contradicts the active set: outside the box, or pushed off a bound."""
    outside = np.maximum(-values, values - upper)
    pushed = np.where(state < 0, -pressure, pressure)
    slack = _PRESSURE_SLACK * max(1.0, float(np.abs(pressure).max()))
    return np.where(state == 0, np.maximum(outside, 0.0), np.where(pushed > slack, pushed, 0.0))


def _spread(values, rows, n):
    """Vector of n entries with these values at these rows and zeros elsewhere."""
    xp = namespace(values)
    index = np.full(n, len(rows))
    index[rows] = np.arange(len(rows))
    return take_rows(xp.concat([values, xp.zeros_like(values[:1])]), index)


def _submatrix(Q, rows, ridge, *, within=False):
    """Rows and columns of Q, plus a ridge, in a buffer of that size or in the memory of Q.

    Within Q, row i of k is written before the place from which the next one is read.
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
    """Next state of the slab: -1 the sum is held up at low, 1 held down at high, 0 neither."""
    if slab == 0:
        return -1 if total < low else 1 if total > high else 0
    return slab if nu * slab > 0 or low == high else 0
