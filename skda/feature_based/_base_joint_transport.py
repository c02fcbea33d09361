"""Joint distribution optimal transport: plans over features and labels, alternated with a fit.

What :class:`JDOTClassifier` and :class:`JDOTRegressor` share.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._array._backend import as_like, namespace, to_numpy
from .._array._warnings import warn_user
from .._array._watch import unwatched
from .._core._callbacks import at_most, rounds_of
from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike, DomainIds
from .._numerics._sinkhorn import sinkhorn_plan
from .._numerics._threads import limit_blas_threads
from .._numerics._transport import check_plan_sizes, cost_matrix, cost_unit, exact_plan
from ._row_plans import plan_between_rows

# Entries of a matrix below which several BLAS threads are slower than one.
_SMALL = 2**20
# Only for the estimate of the time that is warned about.
_USUAL_ROUNDS = 10  # until the alternation stands still, as a rule
_MISPLACED = 1e-4  # misplaced share of the mass above which a warning is issued


class Alternation(NamedTuple):
    """Where the alternation ended: the model, the labels it was fitted to, and the way there."""

    model: Any
    carried: Any
    objectives: list
    marginal_error: float
    """Largest fraction of the mass that a last plan has in the wrong place."""


def joint_alternation(
    costs, labels, fit, label_cost, *, alpha, solve, max_iter=100, tol=1e-5, round_task=unwatched
):
    """Alternate plans of joint cost with fits to the labels that they carry to the target.

    Lowers ``Σ_k λ_k Σ_ij P^k_ij [(1-α) c(x_i, x_j) + α ℓ(y_i, f(x_j))]`` over the plans P^k of the
    sources, λ_k being the proportion of rows of source k, and over the model f.

    Parameters
    ----------
    costs : list of arrays of shape (n_k, m)
        Feature costs of each source.
    labels : list of arrays of shape (n_k, q)
        Values of the rows of each source: class memberships, or the regression target.
    fit : callable
        Gets the labels carried to the target, array of shape (m, q); returns a model and what
        it predicts for the target rows.
    label_cost : callable
        Gets labels (n_k, q) and the model's predictions; returns label losses (n_k, m).
    alpha : float
        Share of the label loss in the joint cost. The first plan uses features only.
    solve : callable
        Gets a joint cost and the potentials of the last plan (or None); returns a plan.
    max_iter : int, default=100
        Largest number of rounds.
    tol : float, default=1e-5
        Stop when the objective changes by no more than this share of itself.
    round_task : callable
        Opens the task of a round, which is offered the model and the labels it was fitted to.

    Returns
    -------
    end : Alternation
    """
    n_source = sum(cost.shape[0] for cost in costs)
    shares = [cost.shape[0] / n_source for cost in costs]
    m = costs[0].shape[1]
    joint, starts, objectives = list(costs), [None] * len(costs), []
    # Computed once: this part of the joint cost does not change.
    features = [cost * (1.0 - alpha) for cost in costs]
    for n_round in range(1, max_iter + 1):
        carried, plans, left_over = 0.0, [], 0.0
        with round_task() as task:
            for k, share in enumerate(shares):
                # Costs change little from round to round, so the last potentials are a good start.
                plan = solve(joint[k], starts[k])
                starts[k] = plan.potentials
                plans.append(plan.coupling)
                left_over = max(left_over, plan.marginal_error)
                # Times m: a target row holds the mass 1/m and is to receive a whole label.
                carried = carried + (plan.coupling.T @ labels[k]) * (share * m)
            model, predicted = fit(carried)
            objective = 0.0
            for k, share in enumerate(shares):
                # In place from here on: a new n x m matrix costs more than the sum itself.
                joint[k] = label_cost(labels[k], predicted)
                joint[k] *= alpha
                joint[k] += features[k]
                objective += share * _inner_product(plans[k], joint[k])
            objectives.append(objective)
            task.offer(partial(dict, estimator_=model, objectives_=list(objectives)))
        if task.stops:
            break
        # The first objective has none to be compared with.
        if n_round > 1:
            change = objectives[-2] - objectives[-1]
            if abs(change) <= tol * abs(objectives[-1]):
                break
    else:
        # One round is asked for by those who want no alternation, so it is no failure.
        if max_iter > 1:
            warn_user(
                f"The alternation stopped after max_iter={max_iter} rounds with its objective "
                f"still changing by {abs(change):.1e}. Raise max_iter or tol.",
                ConvergenceWarning,
            )
    return Alternation(model, carried, objectives, left_over)


def _inner_product(A, B):
    """Sum of the products of the entries, without a matrix of them."""
    xp = namespace(A, B)
    # Not sum(A * B), which makes a matrix of the products.
    return float(xp.vecdot(xp.reshape(A, (-1,)), xp.reshape(B, (-1,))))


def check_plan_reg(reg):
    """Return the entropic regularization of a transport plan, None for an exact one."""
    hint = "None asks for the exact plan."
    return check_real("reg", reg, low=0, closed="neither", none=True, hint=hint)


def _blocks_of_plan(estimator, data):
    """Yield source rows, target rows and the coupling between them of each source's plan."""
    labels = estimator._label_rows(data)
    alpha = float(estimator.alpha)
    losses = estimator._predicted(estimator.estimator_, to_numpy(data.X_target))
    losses = as_like(losses, data.X)
    for domain in data.source_domains:
        rows = data.rows(domain)
        joint = estimator._feature_cost(data, domain) * (1.0 - alpha)
        joint = joint + estimator._label_cost(as_like(labels[rows], data.X), losses) * alpha
        yield rows, data.target, estimator._solve(joint, None).coupling


class JointTransportMixin:
    """The alternation on checked data; a subclass says what labels are and how they are fitted.

    It writes ``_label_rows(data)``, ``_fit_target(X, carried)``, ``_predicted(model, X)`` and
    ``_label_cost(labels, predicted)``.
    """

    def _fit(self, data):
        self._check_params()
        if not data.adapts:
            # Without a target it is the estimator on all rows.
            self._fit_plain(data)
            self.n_iter_, self.objectives_ = 1, []
            return
        rows = [data.rows(domain) for domain in data.source_domains]
        labels = self._label_rows(data)
        labels = [as_like(labels[index], data.X) for index in rows]
        check_plan_sizes(
            type(self).__name__,
            [(len(index), len(data.target)) for index in rows],
            data.X,
            exact=self.reg is None,
            rounds=min(self.max_iter, _USUAL_ROUNDS),
        )
        costs = [self._feature_cost(data, domain) for domain in data.source_domains]
        # The inner estimator works in NumPy, and gets the same array in every round.
        X_target = to_numpy(data.X_target)

        def fit(carried):
            # Around the fit only: the plans, of n x m entries, are larger.
            with limit_blas_threads(X_target.size < _SMALL):
                model, predicted = self._fit_target(X_target, to_numpy(carried))
            return model, as_like(predicted, data.X)

        end = joint_alternation(
            costs,
            labels,
            fit,
            self._label_cost,
            alpha=float(self.alpha),
            solve=self._solve,
            max_iter=self.max_iter,
            tol=self.tol,
            round_task=rounds_of(self, "round"),
        )
        if end.marginal_error > _MISPLACED:
            warn_user(
                f"reg={self.reg!r} is too small for Sinkhorn: {end.marginal_error:.1e} of the mass "
                "of the last plan is misplaced. Raise reg, or set None for exact plans.",
                ConvergenceWarning,
            )
        self.estimator_ = end.model
        self.objectives_ = end.objectives
        self.n_iter_ = len(end.objectives)
        self._keep_carried(to_numpy(end.carried))

    def _n_tasks(self, data):
        return at_most(self.max_iter) if data.adapts else 0

    def transport_plan(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds) -> np.ndarray:
        """Return the transport plan between source rows and target rows.

        It is not kept after ``fit``, since it is as large as both sides multiplied, and is computed
        anew here: with the rows of ``fit``, it is the one that the fitted
        model leads to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels of the source rows.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        plan : ndarray of shape (n_source, n_target)
            Mass that goes from each source row to each target row, in row order. Of several sources
            each has its own plan, which counts as its rows.
        """
        return plan_between_rows(self, X, y, sample_domain, _blocks_of_plan)

    def _feature_cost(self, data, domain):
        cost = cost_matrix(data.X_of(domain), data.X_target, metric=self.metric)
        cost /= cost_unit(cost, self.cost_scale)
        return cost

    def _solve(self, cost, start):
        if self.reg is None:
            return exact_plan(cost, start=start)
        # Only the last plan matters, and is judged after the alternation.
        return sinkhorn_plan(cost, reg=float(self.reg), start=start, warn=False)

    def _check_params(self):
        check_real(
            "alpha",
            self.alpha,
            low=0,
            high=1,
            hint="0 pairs rows by features alone, 1 by labels alone.",
        )
        check_plan_reg(self.reg)
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0)
