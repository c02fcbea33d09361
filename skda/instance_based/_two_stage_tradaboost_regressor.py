"""Two-stage TrAdaBoost.R2: the weight of the source goes down in steps, boosting comes between.

Each step is measured by cross-validation on the labeled target rows.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import check_random_state

from .._array._rows import take_rows
from .._core._callbacks import subtask
from .._core._labels import as_labels
from .._core._param_checks import check_integer
from .._core._typing import Predictor, RandomState, Splitting
from ._base_boosting import target_factor, weighted_median, with_sum
from ._tradaboost_regressor import BaseTrAdaBoostRegressor, adjusted_errors


def r2_weights(weights, errors, is_target, beta):
    """Return weights after a round of AdaBoost.R2′, in which source rows keep theirs.

    Target rows are multiplied by ``beta**(1 - error)`` and scaled to the sum they had.
    """
    target = weights[is_target] * beta ** (1.0 - errors[is_target])
    new = weights.copy()
    new[is_target] = with_sum(target, weights[is_target].sum())
    return new


def share_weights(weights, errors, is_target, share):
    """Return weights ``w * beta**error`` on source rows, β such that the target has this share.

    Parameters
    ----------
    weights, errors : ndarray of shape (n_samples,)
        Weight and adjusted error of each row.
    is_target : ndarray of bool of shape (n_samples,)
        Which rows are target rows; they keep their proportions.
    share : float in (0, 1]
        Share of the weight that the target rows shall have; at 1 source rows get none.

    Returns
    -------
    new_weights : ndarray of shape (n_samples,)
        New weights with the same sum. Where too much weight lies on source rows without error
        to reach the share, those alone are left of the source.
    """
    source, target = weights[~is_target], weights[is_target].sum()
    e = errors[~is_target]
    wanted = target * (1.0 - share) / share

    def excess(rate):  # β = exp(-rate)
        return source @ np.exp(-rate * e) - wanted

    largest = 1.0
    while excess(largest) > 0 and largest < 1e9:
        largest *= 2.0
    # β is 0: only the target is left.
    if share >= 1.0:
        factors = np.zeros_like(e)
    # Rows without error keep more weight than the source may have: the limit of large rates.
    elif excess(largest) > 0:
        factors = (e == 0).astype(np.float64)
    # The target has its share already, and no row shall gain weight.
    elif excess(0.0) <= 0:
        factors = np.ones_like(e)
    else:
        factors = np.exp(-brentq(excess, 0.0, largest, xtol=1e-14, rtol=1e-14) * e)
    new = weights.copy()
    new[~is_target] = source * factors
    return with_sum(new, weights.sum())


class TwoStageTrAdaBoostRegressor(BaseTrAdaBoostRegressor):
    """Lower the weight of the source in steps and keep the step that cross-validates best.

    The first step trusts all source rows, the last one uses the target rows alone; in between,
    source rows with large errors lose weight first. In each step a boosted regressor is fitted
    and cross-validated over the target rows.

    Parameters
    ----------
    estimator : regressor, default=None
        Base learner; must take ``sample_weight`` in ``fit``. Rows go on to it as they come. None:
        ``DecisionTreeRegressor(max_depth=3)``.
    n_steps : int, default=10
        Number of steps S in which the target's share of the weight goes from what it is to 1. More
        steps choose it more finely.
    n_estimators : int, default=10
        Largest number of rounds of AdaBoost.R2′ in each step.
    cv : int, splitter or iterable, default=5
        How the labeled target rows are split to measure a step: a number of shuffled folds (no
        more than there are labeled target rows), or splits of those rows.
    loss : {"linear", "square", "exponential"}, default="linear"
        What is done to errors relative to the largest one: nothing, e², or 1 − exp(−e).
    stop_early : bool, default=True
        True ends the boosting of a step, as AdaBoost.R2 does, with a learner that makes no error,
        or before one with an error of ½ or more. False does all rounds.
    random_state : int, RandomState instance or None, default=None
        Seeds the base learners and the folds.

    Attributes
    ----------
    cv_errors_ : ndarray of shape (n_steps,)
        Mean squared error of each step on held-out labeled target rows.
    step_shares_ : ndarray of shape (n_steps,)
        Target's share of the weight in each step.
    best_step_ : int
        Step with the smallest error; all other attributes are of its model.
    estimators_ : list of regressors
        The learner of each completed round.
    estimator_errors_ : ndarray of shape (n_rounds,)
        Weighted mean of the adjusted errors on all rows.
    estimator_weights_ : ndarray of shape (n_rounds,)
        Weight ln(1/β_t) of each learner in the median; infinite where the error is 0.
    target_share_ : ndarray of shape (n_rounds,)
        Target's share of the weight in each round: constant, as AdaBoost.R2′ keeps the source's.
    weights_ : ndarray of shape (n_source,)
        Weights of the source rows, with mean 1 (all 0 if the best step uses no source row).
    termination_condition_ : {"n_estimators", "zero_error", "high_error"}
        Why boosting ended: all rounds were done; with `stop_early`, a learner made no error (it is
        kept), or its error was ½ or more (that round is dropped, unless it is the first).
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if fewer than two target rows have a label, or if the base learner takes no
        ``sample_weight``.

    See Also
    --------
    TrAdaBoostRegressor : One stage, at a fraction of the cost.

    Notes
    -----
    Two-stage TrAdaBoost.R2 [1]_. Assumes that y given x differs between the domains for some of
    the source rows, and guards against putting too much or too little trust in the source, since
    the last step uses the target rows alone. With m labeled target rows and n source rows, step
    t = 1 … S fits AdaBoost.R2′ — AdaBoost.R2 in which source rows keep their weight — and measures
    it by cross-validation over the target rows; a learner fitted to the weights then gives the
    adjusted errors e, and source rows are multiplied by β_t^e with β_t such that the target's
    share becomes m/(n + m) + t/(S − 1)·(1 − m/(n + m)). All rounds of the best step's model vote
    with ln(1/β). Without ``sample_domain`` this is AdaBoost.R2 on all rows.

    Costs n_steps·(cv + 1)·n_estimators fits of the base learner. Array level (b): NumPy on the
    host; rows of other libraries are moved to the host.

    References
    ----------
    .. [1] D. Pardoe, P. Stone (2010). Boosting for regression transfer. ICML.
       https://icml.cc/Conferences/2010/papers/70.pdf

    Examples
    --------
    >>> import numpy as np
    >>> from skda import TwoStageTrAdaBoostRegressor, stack_domains
    >>> rng = np.random.default_rng(1)
    >>> Xs, Xt = rng.uniform(-1, 1, (400, 1)), rng.uniform(-1, 1, (300, 1))
    >>> ys, yt = Xs[:, 0] ** 2, Xt[:, 0] ** 2
    >>> ys[Xs[:, 0] > 0.4] = 0.0  # part of the source follows another law
    >>> few = np.where(np.arange(300) < 20, yt, np.nan)  # 20 target labels, the rest missing
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xt, few)
    >>> model = TwoStageTrAdaBoostRegressor(n_steps=5, random_state=0)
    >>> model = model.fit(X, y, sample_domain=sample_domain)
    >>> print(f"step {model.best_step_}: {model.score(Xt, yt):.2f}")
    step 4: 0.90
    """

    _all_rounds_vote = True
    _order_dependent = True  # its folds are random

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        n_steps: int = 10,
        n_estimators: int = 10,
        cv: Splitting = 5,
        loss: Literal["linear", "square", "exponential"] = "linear",
        stop_early: bool = True,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.n_steps = n_steps
        self.n_estimators = n_estimators
        self.cv = cv
        self.loss = loss
        self.stop_early = stop_early
        self.random_state = random_state

    def _boost(self, X, y, weights, is_target, so_far):
        random_state = check_random_state(self.random_state)
        if is_target.all():  # nothing to step down: AdaBoost.R2
            self.cv_errors_, self.step_shares_, self.best_step_ = np.array([]), np.array([1.0]), 0
            return self._fit_frozen(X, y, weights, is_target, random_state)
        splits = self._splits(is_target, random_state)
        total, start = weights.sum(), weights[is_target].sum() / weights.sum()
        models, cv_errors, shares = [], [], []
        for step in range(1, self.n_steps + 1):
            with subtask(self, "step") as task:
                models.append(self._fit_frozen(X, y, weights, is_target, random_state))
                cv_errors.append(self._cv_error(X, y, weights, is_target, splits, random_state))
                shares.append(weights[is_target].sum() / total)
                task.offer(partial(so_far, models[int(np.argmin(cv_errors))]))
            if task.stops:
                break
            if step < self.n_steps:
                learner = self._fit_learner(X, y, weights, random_state)
                predictions = as_labels(learner.predict(X))
                errors = adjusted_errors(y, predictions, weights, self.loss)
                share = 1.0 - (1.0 - start) * (1.0 - step / (self.n_steps - 1))
                weights = share_weights(weights, errors, is_target, share)
        self.cv_errors_ = np.array(cv_errors)
        self.step_shares_ = np.array(shares)
        # The first of equals, which trusts the source most.
        self.best_step_ = int(np.argmin(self.cv_errors_))
        return models[self.best_step_]

    def _n_tasks(self, data):
        return int(self.n_steps)

    def _fit_frozen(self, X, y, weights, is_target, random_state):
        """Fit AdaBoost.R2′: source rows keep their weight."""

        def update(weights, errors, error):
            return r2_weights(weights, errors, is_target, target_factor(error))

        everywhere = np.ones_like(is_target)
        return self._boost_rounds(
            X, y, weights, is_target, random_state, update=update, over=everywhere
        )

    def _splits(self, is_target, random_state):
        """Return (rows to fit on, held-out target rows) for each fold."""
        target = np.flatnonzero(is_target)
        if len(target) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 labeled target rows to cross-validate "
                f"its steps; got {len(target)}. Label more, or use TrAdaBoostRegressor."
            )
        cv = self.cv
        if isinstance(cv, int | np.integer):
            cv = KFold(min(cv, len(target)), shuffle=True, random_state=random_state)
        # Only target rows are held out; the source is always learnt from.
        held_out = [target[test] for _, test in check_cv(cv).split(target)]
        everything = np.arange(len(is_target))
        return [(np.setdiff1d(everything, test), test) for test in held_out]

    def _cv_error(self, X, y, weights, is_target, splits, random_state):
        """Return the weighted mean squared error of a step's model on held-out target rows."""
        squared, total = 0.0, 0.0
        for fit, test in splits:
            part = self._fit_frozen(
                take_rows(X, fit), y[fit], weights[fit], is_target[fit], random_state
            )
            predictions = self._predictions(take_rows(X, test), part.learners)
            residuals = y[test] - weighted_median(predictions, part.votes)
            squared += weights[test] @ residuals**2
            total += weights[test].sum()
        return squared / total

    def _check_params(self):
        super()._check_params()
        check_integer("n_steps", self.n_steps, low=1)
        if isinstance(self.cv, int | np.integer):
            check_integer("cv", self.cv, low=2)
