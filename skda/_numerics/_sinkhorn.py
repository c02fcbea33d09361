"""Entropic optimal transport: stabilized Sinkhorn iterations, and Newton steps.

Written in the Python array API; runs on the device of the cost matrix.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._array._backend import backend_of, namespace, to_numpy
from .._array._warnings import warn_user

# Scalings beyond this factor are moved into the potentials: far from overflow even in float32, and
# rare enough that recomputing the kernel costs little.
_ABSORB = math.log(1e6)
_PLAIN_STEPS = 10  # over which the rate of convergence is measured; fewer mistake a wave for a rate
_CG_LIMIT = 100  # products for one Newton step, beyond which plain steps are as good
_FORCING = 0.1  # largest residual of a Newton step, relative to its start: rough while far away
_ARMIJO = 1e-4  # share of the linear rise that a step must reach, the usual value
_BACKTRACKS = 8  # attempts of the line search, down to a 65,000th of the step
_BACKTRACK = 0.25  # factor from one to the next


class Plan(NamedTuple):
    """A transport plan and how it was reached."""

    coupling: Any
    """Mass moved from row i to column j, (n, m), where the cost matrix is."""
    cost: float
    """Sum of coupling times cost."""
    potentials: tuple
    """Dual variables of rows and columns, to start a later solve from."""
    n_iter: int
    """Iterations taken; 0 for the network simplex."""
    marginal_error: float
    """Mass that is not where the marginals want it (unbalanced: last change of log scalings)."""


def uniform_mass(n, like):
    """Return n equal masses that sum to one."""
    xp = namespace(like)
    return xp.full((n,), 1.0 / n, dtype=like.dtype, device=backend_of(like).device)


def _soft_min(M, potential, log_mass, reg, axis):
    """Soft c-transform: ``-reg log Σ exp((potential - M)/reg + log_mass)`` over one axis."""
    xp = namespace(M)
    shape = (-1, 1) if axis == 0 else (1, -1)
    T = xp.reshape(potential / reg + log_mass, shape) - M / reg
    # Relative to the largest term, so that no exponential overflows.
    top = xp.max(T, axis=axis)
    T = xp.exp(T - xp.expand_dims(top, axis=axis))
    return (xp.log(xp.sum(T, axis=axis)) + top) * -reg


def _gibbs_kernel(M, f, g, log_a, log_b, reg):
    """``a_i b_j exp((f_i + g_j - M_ij)/reg)``."""
    xp = namespace(M)
    # One new matrix, changed in place: matrices of this size are what fills the memory.
    K = M * (-1.0 / reg)
    K += xp.reshape(f / reg + log_a, (-1, 1))
    K += xp.reshape(g / reg + log_b, (1, -1))
    return xp.exp(K)


def sinkhorn_plan(
    M,
    *,
    reg,
    a=None,
    b=None,
    marginal_reg=None,
    max_iter=2000,
    tol=1e-6,
    start=None,
    warn=True,
    hint="Raise max_iter, reg or tol.",
):
    """Entropic plan: least ``⟨P, M⟩ + reg KL(P | abᵀ)`` with marginals a and b.

    Parameters
    ----------
    M : array of shape (n, m)
        Cost of each pair.
    reg : float
        Weight of the entropy, in units of M. Smaller is closer to the exact plan and slower.
    a, b : array of shape (n,), (m,), default=None
        Masses; uniform by default.
    marginal_reg : float, default=None
        None keeps the marginals. Otherwise the weight of ``KL(P1 | a) + KL(Pᵀ1 | b)`` that
        stands in their place (unbalanced transport); smaller lets more mass stay where it is.
    max_iter : int, default=2000
        Largest number of iterations.
    tol : float, default=1e-6
        Stop when this share of the mass is not where the marginals want it (unbalanced: when
        no log scaling changes by more). Not below what the precision of M allows.
    start : tuple of arrays, default=None
        Potentials of a similar problem, to start from.
    warn : bool, default=True
        Whether to warn when `tol` was not reached.
    hint : str, default="Raise max_iter, reg or tol."
        What the user of the caller can do about it.

    Returns
    -------
    plan : Plan

    Notes
    -----
    Scalings are applied to a kernel that holds the potentials and are absorbed into them before
    they can overflow [1]_, after one half-step in the log domain, so that no row or column of the
    kernel of a balanced problem vanishes. Those of an unbalanced one vanish where a row lies so far
    away that none of its mass is moved; their potentials then follow in the log domain. Where the
    alternation is slow (small `reg`, groups that hardly exchange mass) balanced problems take
    Newton steps by conjugate gradients instead [2]_. An iteration, of either kind, is two products
    with an n×m matrix.

    References
    ----------
    .. [1] B. Schmitzer, "Stabilized sparse scaling algorithms for entropy regularized transport
       problems", SIAM J. Sci. Comput. 41, 2019. arXiv:1610.06519.
    .. [2] C. Brauer, C. Clason, D. Lorenz, B. Wirth, "A Sinkhorn-Newton method for entropic
       optimal transport", 2017. arXiv:1710.06635.
    """
    xp = namespace(M)
    n, m = M.shape
    a = uniform_mass(n, M) if a is None else a
    b = uniform_mass(m, M) if b is None else b
    log_a, log_b = xp.log(a), xp.log(b)
    # Below some tens of eps rounding keeps the error up, and the iteration would not end.
    tol = max(tol, 50.0 * float(xp.finfo(M.dtype).eps))
    # One side is enough: the potentials of the columns follow from those of the rows.
    f = xp.zeros_like(a) if start is None else start[0]
    if marginal_reg is None:
        g = _soft_min(M, f, log_a, reg, 0)
        f = _soft_min(M, g, log_b, reg, 1)
        iterate = _scale_balanced
        power = 1.0
    else:
        # Exponent of the proximal step of a KL penalty on the marginals (Chizat et al. 2018).
        power = marginal_reg / (marginal_reg + reg)
        g = _soft_min(M, f, log_a, reg, 0) * power
        f = _soft_min(M, g, log_b, reg, 1) * power
        iterate = _scale_unbalanced
    with np.errstate(all="ignore"):  # what overflows is refused below
        K, u, v, f, g, n_iter, error = iterate(
            M, f, g, a, b, log_a, log_b, reg=reg, power=power, max_iter=max_iter, tol=tol
        )
        K *= xp.reshape(u, (-1, 1))
        K *= xp.reshape(v, (1, -1))
        cost = float(xp.sum(K * M))
    if not (math.isfinite(cost) and math.isfinite(error)):
        raise ValueError(
            f"The entropic plan overflows: costs run up to {float(xp.max(M)):.1e} and reg is "
            f"{reg:.1e}, further apart than {M.dtype} can hold. Scale the features, drop rows that "
            "lie very far away, or raise reg."
        )
    if warn and not error <= tol:
        what = "of the mass misplaced" if marginal_reg is None else "change of the log scalings"
        warn_user(
            f"Sinkhorn stopped after {n_iter} iterations with {error:.1e} {what} (tol={tol:.1e}). "
            f"{hint}",
            ConvergenceWarning,
        )
    # What was absorbed and what was not yet.
    potentials = (f + xp.log(u) * reg, g + xp.log(v) * reg)
    return Plan(K, cost, potentials, n_iter, error)


def _scale_balanced(M, f, g, a, b, log_a, log_b, *, reg, power, max_iter, tol):
    """Alternate scalings while they converge fast, Newton steps of the semi-dual where they do not.

    Columns are exact after every step; the error is that of the rows.
    """
    xp = namespace(M)
    K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
    u = xp.ones_like(a)
    v = b / (K.T @ u)
    total, errors, n_iter = float(xp.sum(a)), [], 0
    while True:
        row = u * (K @ v)
        errors.append(float(xp.sum(xp.abs(row - a))) / total)
        if errors[-1] <= tol or n_iter >= max_iter or not math.isfinite(errors[-1]):
            return K, u, v, f, g, max(n_iter, 1), errors[-1]
        step = None
        if _is_slow(errors, tol):
            # Its products count as iterations, so that max_iter bounds the work of both kinds.
            limit = min(_CG_LIMIT, max_iter - n_iter)
            step, taken = _newton_step(K, u, v, row, a, b, limit=limit, error=errors[-1])
            n_iter += taken
            errors = []  # the rate of plain steps has to be measured again
        # v is None where it is still to be computed from the new u.
        u, v = (u * (a / row), None) if step is None else step
        log_u = xp.log(u)
        if float(xp.max(xp.abs(log_u))) > _ABSORB:
            f, u = f + log_u * reg, xp.ones_like(a)
            # v belongs to the kernel that is replaced, so it is absorbed together with u.
            if v is not None:
                g, v = g + xp.log(v) * reg, None
            K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
        if v is None:
            v = b / (K.T @ u)
        n_iter += 1
        log_v = xp.log(v)
        # Before the next product of K and v can overflow.
        if float(xp.max(xp.abs(log_v))) > _ABSORB:
            f, g = f + xp.log(u) * reg, g + log_v * reg
            K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
            u, v = xp.ones_like(a), xp.ones_like(b)
            v = b / (K.T @ u)


def _is_slow(errors, tol):
    """Whether plain steps, at the rate of the last few, would need more than a Newton step."""
    if len(errors) <= _PLAIN_STEPS:
        return False
    rate = (errors[-1] / errors[-_PLAIN_STEPS]) ** (1.0 / (_PLAIN_STEPS - 1))
    # log(tol / error) / log(rate) plain steps are left; for a few of them no Newton step pays.
    return rate >= 1.0 or math.log(tol / errors[-1]) / math.log(rate) > 2 * _PLAIN_STEPS


def _newton_step(K, u, v, row, a, b, *, limit, error):
    """One Newton step of the semi-dual in the log scalings of the rows, or None if it fails.

    The direction solves ``(diag(row) - P diag(1/b) Pᵀ) x = a - row`` by conjugate gradients, scaled
    by ``row``; near convergence a few directions are slow, and those CG finds first. The dual must
    then rise (Armijo). Returns the new (u, v) and the number of products with P and Pᵀ.
    """
    xp = namespace(K)
    root = xp.sqrt(row)
    # Adding a constant to all log scalings changes nothing: the operator is singular there, and
    # that direction is projected out.
    null = root / xp.linalg.vector_norm(root)
    left = u / root

    def apply(z):
        y = K.T @ (left * z)
        return z - left * (K @ (y * weight))

    weight = v * v / b
    residual = (a - row) / root
    residual = residual - null * xp.sum(null * residual)
    x, direction = xp.zeros_like(residual), residual
    squared = float(xp.sum(residual * residual))
    # The nearer the end, the more exactly the step is solved: that makes the convergence
    # superlinear.
    goal = squared * min(_FORCING, math.sqrt(error)) ** 2
    taken = 0
    while taken < limit and squared > goal:
        image = apply(direction)
        curvature = float(xp.sum(direction * image))
        # Only rounding is left; also true for NaN.
        if not curvature > 0.0:
            break
        x = x + direction * (squared / curvature)
        residual = residual - image * (squared / curvature)
        # Rounding brings the null direction back.
        residual = residual - null * xp.sum(null * residual)
        former, squared = squared, float(xp.sum(residual * residual))
        direction = residual + direction * (squared / former)
        taken += 1
    x = x / root
    longest = float(xp.max(xp.abs(x)))
    slope = float(xp.sum((a - row) * x))
    if not (0.0 < longest < math.inf) or not slope > 0.0:
        return None, taken
    # No scaling may change by more than what can be absorbed afterwards.
    step = min(1.0, _ABSORB / longest)
    log_v = xp.log(v)
    for _ in range(_BACKTRACKS):
        trial_u = u * xp.exp(x * step)
        trial_v = b / (K.T @ trial_u)
        taken += 1
        # Of the dual. Its entropy term is constant, because the columns are exact at each trial.
        rise = float(xp.sum(a * x)) * step + float(xp.sum(b * (xp.log(trial_v) - log_v)))
        if rise >= _ARMIJO * step * slope:
            return (trial_u, trial_v), taken
        step *= _BACKTRACK
    return None, taken


def _scale_unbalanced(M, f, g, a, b, log_a, log_b, *, reg, power, max_iter, tol):
    """Alternate proximal steps of the scalings, kept as logarithms.

    Absorbed potentials enter the step (Chizat et al. 2018, Algorithm 2): the whole scaling
    ``u exp(f/reg)``, not u alone, is raised to the power. Its factors may overflow where their
    product does not, so the step is taken in logarithms.
    """
    xp = namespace(M)
    K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
    log_u, log_v = xp.zeros_like(a), xp.zeros_like(b)
    error = math.inf
    for n_iter in range(1, max_iter + 1):  # noqa: B007
        former = log_v
        log_v, change_v = _proximal_step(
            K.T @ xp.exp(log_u), former, g, (M, f + log_u * reg), log_a, log_b, reg, power, axis=0
        )
        if _is_large(log_v):
            f, g = f + log_u * reg, g + log_v * reg
            K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
            log_u, log_v = xp.zeros_like(a), xp.zeros_like(b)
        former = log_u
        log_u, change_u = _proximal_step(
            K @ xp.exp(log_v), former, f, (M, g + log_v * reg), log_b, log_a, reg, power, axis=1
        )
        error = max(change_u, change_v)
        if error <= tol or not math.isfinite(error):
            break
        if _is_large(log_u):
            f, g = f + log_u * reg, g + log_v * reg
            K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
            log_u, log_v = xp.zeros_like(a), xp.zeros_like(b)
    # The loop may end between an update and its absorption.
    if _is_large(log_u) or _is_large(log_v):
        f, g = f + log_u * reg, g + log_v * reg
        K = _gibbs_kernel(M, f, g, log_a, log_b, reg)
        log_u, log_v = xp.zeros_like(a), xp.zeros_like(b)
    return K, xp.exp(log_u), xp.exp(log_v), f, g, n_iter, error


def _proximal_step(sums, former, own, other, log_other, log_own, reg, power, *, axis):
    """Return the new log scalings of one side, and their largest change.

    ``sums`` are the sums of the scaled kernel over the other side, ``own`` the absorbed potentials
    of this side, ``other`` the costs with the whole potentials of the other side. Where a sum
    vanishes, no mass comes from any row: its scaling cannot be read off the kernel, and changes
    nothing that the precision shows, so that it does not count as a change.
    """
    xp = namespace(sums)
    # Sums below the smallest normal number have lost their digits.
    seen = sums > float(xp.finfo(sums.dtype).smallest_normal)
    log_sums = xp.log(xp.where(seen, sums, xp.ones_like(sums)))
    new = (log_own - log_sums) * power + own * ((power - 1.0) / reg)
    if not bool(xp.all(seen)):
        unseen = _unseen_scalings(*other, own, seen, log_other, reg, power, axis=axis)
        new = xp.where(seen, new, unseen)
    return new, float(xp.max(xp.where(seen, xp.abs(new - former), xp.zeros_like(new))))


def _unseen_scalings(M, potential, own, seen, log_mass, reg, power, *, axis):
    """Return the log scalings of the rows or columns that are not seen, by log-domain sums."""
    # On the host: the number of such rows decides the shape of what follows.
    index = np.flatnonzero(~to_numpy(seen))
    xp, at = namespace(M), backend_of(M).asarray(index)
    # For these rows only: a sum in the log domain costs several times a product with the kernel.
    whole = _soft_min(xp.take(M, at, axis=1 - axis), potential, log_mass, reg, axis) * power
    full = np.zeros(seen.shape[0])
    full[index] = to_numpy(whole - xp.take(own, at)) / reg
    return backend_of(M).asarray(full, M.dtype)


def _is_large(log_scaling):
    xp = namespace(log_scaling)
    return float(xp.max(xp.abs(log_scaling))) > _ABSORB
