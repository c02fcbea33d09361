"""What the boosting methods for few target labels share: weight updates, votes and validation.

Source rows that are wrong lose weight by a fixed factor (they may follow another concept);
labeled target rows that are wrong gain weight as in AdaBoost (they are hard).
"""

import math

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags

from .._array._rows import take_rows
from .._core._callbacks import CALLBACK_SUPPORT, learnt_by
from .._core._labels import take_labels
from .._core._meta_estimator import check_row_weights
from .._core._routing import DomainRouting

EPS = np.finfo(np.float64).eps
# Where boosting goes on, errors are kept that far from chance and from 0. Next to chance target
# rows keep their weights but for 2 %, and the vote is as small; next to 0 the vote is about 5.
_MARGIN = 0.005
# A learner that comes a second time has an error of exactly ½, but for rounding.
_AT_CHANCE = 1e-12


def source_factor(n_source, n_rounds):
    """Return β = 1 / (1 + √(2 ln n_source / n_rounds)), the factor of a wrong source row."""
    return 1.0 / (1.0 + math.sqrt(2.0 * math.log(n_source) / n_rounds))


def target_error(weights, errors, is_target):
    """Return the weighted mean error of the labeled target rows, ε."""
    weights = weights[is_target]
    return float(weights @ errors[is_target] / weights.sum())


def updated_weights(weights, errors, is_target, *, source_beta, target_beta, source_gain=1.0):
    """Multiply source rows by ``source_beta**error``, target rows by ``target_beta**-error``.

    Parameters
    ----------
    weights, errors : ndarray of shape (n_samples,)
        Weight and error (in [0, 1]) of each row.
    is_target : ndarray of bool of shape (n_samples,)
        Which rows are target rows.
    source_beta, target_beta : float
        Factors β and β_t of Figure 1 of Dai et al. (2007).
    source_gain : float, default=1.0
        Factor of all source rows: the dynamic cost of Al-Stouhi and Reddy (2011).

    Returns
    -------
    new_weights : ndarray of shape (n_samples,)
        New weights with the same sum.
    """
    factors = np.where(is_target, target_beta**-errors, source_gain * source_beta**errors)
    return with_sum(weights * factors, weights.sum())


def balanced_weights(weights, is_target):
    """Scale source and target rows to half of the weight each."""
    half = weights.sum() / 2
    weights = weights.copy()
    for rows in (is_target, ~is_target):
        if weights[rows].any():
            weights[rows] = with_sum(weights[rows], half)
    return weights


def with_sum(weights, total):
    """Scale weights to a sum."""
    return weights * (total / weights.sum())


def target_factor(error, n_way=2):
    """Return β_t = ε / ((1 − ε)(n_way − 1)); n_way = 2 is the papers'."""
    return error / ((1.0 - error) * (n_way - 1))


def first_vote(n_rounds):
    """Return the index of the first of n rounds that votes: rounds ⌈n/2⌉ … n do."""
    return -(-n_rounds // 2) - 1


def finite_votes(weights):
    """Return the weights of the votes; a learner without error (infinite weight) decides alone."""
    weights = np.asarray(weights, dtype=np.float64)
    without_error = np.isinf(weights)
    return without_error.astype(np.float64) if without_error.any() else weights


def weighted_median(predictions, weights):
    """Return, per column, the smallest prediction with half of the weight at or below it.

    Parameters
    ----------
    predictions : ndarray of shape (n_rounds, n_samples)
        Prediction of each learner.
    weights : ndarray of shape (n_rounds,)
        Weight of each learner.

    Returns
    -------
    median : ndarray of shape (n_samples,)
        Weighted median of each column (Drucker 1997).
    """
    order = np.argsort(predictions, axis=0, kind="stable")
    below = np.cumsum(finite_votes(weights)[order], axis=0)
    at = np.argmax(below >= 0.5 * below[-1], axis=0)
    columns = np.arange(predictions.shape[1])
    return predictions[order[at, columns], columns]


class Rounds:
    """The completed rounds of boosting, and why it ended.

    With `stop_early` boosting ends, as in the papers, with a learner that makes no error on the
    target rows, or before one that is no better than chance. Without it, errors are kept off these
    two ends, and all rounds are done: target rows then keep their weights, and wrong source rows
    go on losing theirs.
    """

    def __init__(self, n_estimators, *, n_way=2, stop_early=True):
        self.n_estimators = n_estimators
        self.n_way = n_way
        self.stop_early = stop_early
        self.learners, self.errors, self.votes = [], [], []
        self.shares, self.sources = [], []
        self.weights = None
        self.condition = "n_estimators"

    def capped(self, error):
        """Return the error that the factors and the vote are computed from."""
        if self.stop_early:
            return error
        return min(max(error, _MARGIN), 1.0 - 1.0 / self.n_way - _MARGIN)

    def add(self, learner, error, weights, is_target, *, source=None):
        """Record a round, unless its error is too high; return whether boosting goes on."""
        used = self.capped(error)
        if used > 1.0 - 1.0 / self.n_way - _AT_CHANCE:
            self.condition = "high_error"
            if self.learners:
                return False
            vote = 1.0  # the first learner is all there is
        elif used <= EPS:
            self.condition = "zero_error"
            vote = np.inf
        else:
            vote = -math.log(target_factor(used, self.n_way))
        self.learners.append(learner)
        self.errors.append(error)
        self.votes.append(vote)
        self.shares.append(weights[is_target].sum() / weights.sum())
        self.sources.append(source)
        self.weights = weights
        return self.condition == "n_estimators" and len(self.learners) < self.n_estimators


class BaseTransferBoosting(*CALLBACK_SUPPORT, DomainRouting, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Boosting over source rows and labeled target rows; a subclass writes ``fit``."""

    initial_weights = "uniform"  # a parameter of those that offer the choice

    _labels = "all"
    _all_rounds_vote = False

    def _training_rows(self, data, sample_weight):
        """Return the rows with a label, which of them are target rows, and their weights.

        Where there is nothing to adapt to, all rows count as target rows: with no source the
        algorithms are AdaBoost.
        """
        weights = check_row_weights(sample_weight, len(data.ids))
        rows = np.flatnonzero(data.labeled)
        is_target = data.ids[rows] < 0 if data.adapts else np.ones(len(rows), dtype=bool)
        weights = weights[rows]
        if not is_target.any():
            raise ValueError(
                f"{type(self).__name__} needs labeled target rows; none of the "
                f"{len(data.target)} target rows has a label. A target row counts as labeled "
                "when its y is not NaN, not None or NA and, among integers, not -1: put the "
                "labels that you know into y there. Without any, weight the source with "
                "ImportanceWeightedEstimator instead."
            )
        if weights[is_target].sum() == 0:
            whose = "labeled target rows" if data.adapts else "rows"
            raise ValueError(f"sample_weight must not be zero on all {whose}.")
        if self.initial_weights == "balanced" and data.adapts:
            weights = balanced_weights(weights, is_target)
        return rows, is_target, weights

    def _n_tasks(self, data):
        return int(self.n_estimators)

    def _fit_learner(self, X, y, weights, random_state):
        """Fit a clone of the base estimator.

        The weights keep the sum of the user's, not 1: the penalty of an estimator is measured
        against it.
        """
        learner = clone(self._learner())
        seeds = {
            name: random_state.randint(np.iinfo(np.int32).max)
            for name in sorted(learner.get_params())
            if name == "random_state" or name.endswith("__random_state")
        }
        learner.set_params(**seeds)
        return learner.fit(X, y, sample_weight=weights)

    def _keep(self, rounds, data, rows):
        """Store what happened, with the last weights of the source rows scaled to mean 1."""
        self.estimators_ = list(rounds.learners)
        self.estimator_weights_ = np.array(rounds.votes)
        self.estimator_errors_ = np.array(rounds.errors)
        self.target_share_ = np.array(rounds.shares)
        self.termination_condition_ = rounds.condition
        weights = rounds.weights[data.ids[rows] >= 0]
        self.weights_ = weights / (weights.mean() or 1.0)
        self._all_vote = self._all_rounds_vote or not data.adapts

    def _kept_by_callbacks(self, data, rows):
        """Return what gives the fitted attributes of a copy, as if boosting ended after a round."""
        return lambda rounds: learnt_by(self, "_keep", rounds, data, rows)

    def _voting(self, n_rounds):
        """Return the rounds that vote when n were completed, as a slice."""
        return slice(0 if self._all_vote else first_vote(n_rounds), n_rounds)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._learner()).input_tags
        return tags


def labeled_part(data, rows):
    """Return the rows and the labels, of their own type, that are learnt from."""
    return take_rows(data.X, rows), take_labels(data.y, rows)
