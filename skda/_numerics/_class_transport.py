"""Entropic transport that keeps source rows of different classes apart (group sparsity)."""

from .._array._arithmetic import safe_divide
from .._array._backend import namespace
from .._array._watch import unwatched
from ._sinkhorn import sinkhorn_plan, uniform_mass

# Usual numbers of rounds until the penalty of classes stands still, and what is enough then.
CLASS_ROUNDS, LASSO_ROUNDS = 10, 20
_ROUGH = 1e-4  # misplaced mass up to which a plan is good enough for the next tangent


def lpl1_plan(
    M,
    membership,
    *,
    reg,
    class_reg,
    eps=1.0,
    max_rounds=CLASS_ROUNDS,
    tol=1e-6,
    round_task=unwatched,
    **options,
):
    """Plan in which each target row draws its mass from few classes, by reweighted Sinkhorn.

    Least ``⟨P, M⟩ + reg KL(P | abᵀ) + class_reg Σ_j b_j Σ_c ψ(s_cj)``, where ``s_cj`` is the share
    of class c in the mass that column j receives, and ψ is ``sqrt(s + eps)`` less a line, scaled so
    that its slope falls from 1 at s = 0 to 0 at s = 1. The concave penalty is replaced by its
    tangent in each round (Section 4.3 of Courty et al. 2017; there with masses in the place of
    shares, which makes the weight depend on the number of rows).

    Parameters
    ----------
    M : array of shape (n, m)
        Cost of each pair.
    membership : array of shape (n, n_classes)
        1 where a row is of a class, else 0.
    reg : float
        Weight of the entropy, in units of M.
    class_reg : float
        What it costs more, in units of M, to send mass where its class is absent than to where
        there is no other.
    eps : float, default=1.0
        The smaller, the sharper the penalty sets in, and the more the first, unpenalized plan
        decides. Courty et al. have 0.001 in masses, ``0.001 m`` here.
    max_rounds : int, default=10
        Largest number of tangents; fewer when the shares stand still.
    tol : float, default=1e-6
        Misplaced mass of the last plan; those before are rougher.
    round_task : callable
        Opens the task of a round, for callbacks.
    **options
        For :func:`~skda._numerics._transport.sinkhorn_plan`.

    Returns
    -------
    plan : Plan
    """
    xp = namespace(M)
    plan, cost, n_iter, before = None, M, 0, None
    # Slopes of the root at s = 1 and s = 0, up to a factor: these become 0 and 1.
    flat, steep = (1.0 + eps) ** -0.5, eps**-0.5
    for _ in range(max_rounds):
        start = None if plan is None else plan.potentials
        with round_task() as task:
            plan = sinkhorn_plan(
                cost, reg=reg, start=start, tol=max(tol, _ROUGH), warn=False, **options
            )
        n_iter += plan.n_iter
        received = xp.sum(plan.coupling, axis=0)
        shares = safe_divide(membership.T @ plan.coupling, received)
        # The next tangents would be the same to four digits, and so would the plan.
        if before is not None and float(xp.max(xp.abs(shares - before))) < 1e-4:
            break
        if task.stops:
            break
        before = shares
        tangent = ((shares + eps) ** -0.5 - flat) * (class_reg / (steep - flat))
        cost = M + membership @ tangent
    # Only the plan that is returned is solved to the tolerance that was asked for.
    plan = sinkhorn_plan(cost, reg=reg, start=plan.potentials, tol=tol, **options)
    # The cost of moving, without penalty, as other plans report it.
    return plan._replace(cost=float(xp.sum(plan.coupling * M)), n_iter=n_iter + plan.n_iter)


def group_lasso_value(P, membership):
    """Return ``Σ_j Σ_c ‖P[rows of class c, j]‖₂``."""
    xp = namespace(P)
    return float(xp.sum(xp.sqrt(membership.T @ (P * P))))


def l1l2_plan(
    M,
    membership,
    *,
    reg,
    class_reg,
    max_rounds=LASSO_ROUNDS,
    rtol=1e-6,
    round_task=unwatched,
    **options,
):
    """Plan with a group lasso over the classes, by generalized conditional gradient.

    Least ``⟨P, M⟩ + reg KL(P | abᵀ) + class_reg Σ_j Σ_c ‖P[c, j]‖₂``: the lasso is linearized,
    Sinkhorn solves what remains, and a line search goes there (Rakotomamonjy et al. 2015).

    Parameters
    ----------
    M, membership, reg, class_reg
        See :func:`lpl1_plan`.
    max_rounds : int, default=20
        Largest number of linearizations.
    rtol : float, default=1e-6
        Stop when the objective falls by less than this share of itself.
    round_task : callable
        Opens the task of a round, for callbacks.
    **options
        For :func:`~skda._numerics._transport.sinkhorn_plan`.

    Returns
    -------
    plan : Plan
    """
    xp = namespace(M)
    plan = sinkhorn_plan(M, reg=reg, **options)
    P, n_iter = plan.coupling, plan.n_iter
    value = group_objective(P, M, membership, reg=reg, class_reg=class_reg)
    for _ in range(max_rounds):
        norms = xp.sqrt(membership.T @ (P * P))
        # The norm has no slope where a class sends nothing; 0 is one of its subgradients.
        inverse = safe_divide(xp.ones_like(norms), norms)
        slope = P * (membership @ inverse) * class_reg
        with round_task() as task:
            plan = sinkhorn_plan(M + slope, reg=reg, start=plan.potentials, **options)
        n_iter += plan.n_iter
        step, former = 1.0, value
        # The objective is convex on the way to the new plan: unless P is the best, a short step
        # lowers it.
        while step > 1e-4:
            trial = P + (plan.coupling - P) * step
            value = group_objective(trial, M, membership, reg=reg, class_reg=class_reg)
            if value <= former:
                P = trial
                break
            step *= 0.5
        else:
            # No step did: what is left is rounding.
            value = former
        if former - value <= rtol * abs(former) or task.stops:
            break
    return plan._replace(coupling=P, cost=float(xp.sum(P * M)), n_iter=n_iter)


def group_objective(P, M, membership, *, reg, class_reg):
    """Return ``⟨P, M⟩ + reg KL(P | abᵀ) + class_reg Σ_j Σ_c ‖P[c, j]‖₂`` for uniform a and b."""
    xp = namespace(P)
    a, b = uniform_mass(P.shape[0], P), uniform_mass(P.shape[1], P)
    # 0 log 0 is 0; the logarithm alone would be infinite.
    positive = xp.where(P > 0, P, xp.ones_like(P))
    entropy = float(xp.sum(P * xp.log(positive / (xp.reshape(a, (-1, 1)) * b))))
    lasso = class_reg * group_lasso_value(P, membership)
    return float(xp.sum(P * M)) + reg * entropy + lasso
