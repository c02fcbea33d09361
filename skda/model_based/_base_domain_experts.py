"""What the methods share that combine one model per source domain."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, get_tags

from .._array._rows import n_rows, take_rows
from .._core._labels import take_labels
from .._core._param_checks import check_option
from .._core._routing import DomainRouting
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import (
    class_labels,
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)
from .._numerics._kernels import kernel_mean, resolve_gamma
from ._base_source_model import check_is_estimator, on_host, warn_without_labels

WEIGHTINGS = ("similarity", "uniform", "labels", "mmd", "consensus")

# How much more the sum of the weights counts than all predictions together.
_SUM_TO_ONE = 1e4
# Part of the largest eigenvalue of the sources' inner products below which it is rounding.
_LEAST_EIGENVALUE = 1e-10
_SEED = 0  # draws rows for the median distance of many; the weights hardly depend on it
# The consensus stands still after a few rounds.
_CONSENSUS_ROUNDS, _CONSENSUS_TOL = 100, 1e-9
# Part of all distances below which an expert is the consensus itself.
_LEAST_DISTANCE = 1e-6


def stacking_weights(predictions, wanted):
    """Return non-negative weights, of sum 1, that minimize ``‖wanted − Σ_k w_k p_k‖²``.

    Parameters
    ----------
    predictions : ndarray of shape (n_experts, n_values)
    wanted : ndarray of shape (n_values,)
    """
    # The sum is one more equation, of so large a weight that it holds.
    heavy = _SUM_TO_ONE * max(np.abs(predictions).max(), 1.0) * np.sqrt(len(wanted))
    rows = np.vstack([predictions.T, np.full(len(predictions), heavy)])
    weights, _ = nnls(rows, np.r_[wanted, heavy])
    return weights / weights.sum()


def mixture_weights(X_sources, X_target):
    """Return the non-negative weights, of sum 1, with which a mixture of the sources is the target.

    They minimize the squared maximum mean discrepancy ``‖Σ_k w_k μ_k − μ_t‖²``, where μ is the mean
    of the rows in the feature space of a Gaussian kernel of the median width.

    Parameters
    ----------
    X_sources : list of ndarray of shape (n_k, d)
    X_target : ndarray of shape (m, d)
    """
    gamma = resolve_gamma("median", np.vstack([*X_sources, X_target]), random_state=_SEED)

    def inner(X, Y):
        return kernel_mean(X, Y, gamma=gamma)

    gram = np.array([[inner(X, Y) for Y in X_sources] for X in X_sources])
    # Rows R with RᵀR = gram, so that the discrepancy is a sum of squares.
    values, vectors = np.linalg.eigh(gram)
    # Sources that are alike have no direction of their own, but for rounding.
    kept = values > _LEAST_EIGENVALUE * values[-1]
    rows = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    wanted = [inner(X, X_target) for X in X_sources]
    wanted = vectors[:, kept].T @ wanted / np.sqrt(values[kept])
    return stacking_weights(rows.T, wanted)


def consensus_weights(predictions):
    """Return weights, of sum 1, the larger the nearer an expert is to the weighted mean of all.

    Parameters
    ----------
    predictions : ndarray of shape (n_experts, n_values)

    Notes
    -----
    In turns with the mean, the weights are ``-log(d_k / Σ_j d_j)`` for the mean squared distances
    d_k to it, as in CRH (Li et al. 2014). The logarithm keeps the expert that is nearest from
    getting all the weight and thereby the consensus.
    """
    weights = np.full(len(predictions), 1.0 / len(predictions))
    for _ in range(_CONSENSUS_ROUNDS):
        apart = np.mean((predictions - weights @ predictions) ** 2, axis=1)
        # Experts that all agree need no weights.
        if apart.sum() == 0:
            return weights
        part = np.maximum(apart / apart.sum(), _LEAST_DISTANCE)
        before, weights = weights, -np.log(part)
        weights = weights / weights.sum()
        if np.abs(weights - before).max() < _CONSENSUS_TOL:
            break
    return weights


class DomainExperts(DomainRouting, BaseEstimator):
    """One model per source, combined for the target.

    A subclass writes ``_expert_values(expert, X)``, the predictions of an expert as numbers, and
    ``_wanted(labels)``, what they are compared with.
    """

    @property
    def _labels(self):
        return "all" if self.weighting == "labels" else "source"

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit a model to each source, and learn how to weigh them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored unless ``weighting="labels"``; missing ones
            are NaN, None or NA or, among integers, -1.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are one source, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            check_option("weighting", self.weighting, WEIGHTINGS)
            check_is_estimator("estimator", self.estimator)
            check_is_estimator("domain_estimator", self.domain_estimator)
            data = data_for_inner_fit(self, X, y, sample_domain, labels=self._labels)
            if is_classifier(self):
                self.classes_ = class_labels(self, data)[0]
            # Without any row there is none either; the estimator then says what is missing.
            self.sources_ = np.array(data.source_domains or [0])
            with one_class_explained(self, data.y_source):
                # Some classifiers can be fitted so, but there is nothing to combine.
                if is_classifier(self) and len(np.unique(data.y_source)) < 2:
                    raise ValueError("one class")
                self.estimators_ = [
                    self._fitted_expert(data.X_of(i), take_labels(data.y, data.rows(i)))
                    for i in self.sources_
                ]
            self._learn_weights(data)
        return self

    def _inner(self):
        return self._default() if self.estimator is None else self.estimator

    def _domain_model(self):
        if self.domain_estimator is None:
            # Balanced: all sources count alike. Not centered, so that sparse rows pass; the
            # intercept does the same.
            return make_pipeline(
                StandardScaler(with_mean=False),
                LogisticRegression(class_weight="balanced", max_iter=1000),
            )
        return self.domain_estimator

    def _fitted_expert(self, X, y):
        return clone(self._inner()).fit(X, y)

    def _learn_weights(self, data):
        """Store the weights of the experts, or what weighs them row by row."""
        n_experts = len(self.estimators_)
        self.expert_weights_ = np.full(n_experts, 1.0 / n_experts)
        self.domain_estimator_ = None
        if self.weighting == "mmd":
            # Also where no weight is learnt, so that the same rows pass every fit.
            check_array(data.X, dtype=np.float64)
        # One expert needs no weights.
        if n_experts == 1:
            return
        if self.weighting == "similarity":
            self.domain_estimator_ = clone(self._domain_model())
            self.domain_estimator_.fit(data.X_source, data.ids[data.source])
            weights = self.domain_estimator_.predict_proba(data.X_target)
            self.expert_weights_ = on_host(weights).mean(axis=0)
        elif self.weighting == "labels":
            self._stack(data)
        elif self.weighting == "mmd" and data.adapts:
            X = [check_array(part, dtype=np.float64) for part in map(data.X_of, self.sources_)]
            target = check_array(data.X_target, dtype=np.float64)
            self.expert_weights_ = mixture_weights(X, target)
        elif self.weighting == "consensus" and data.adapts:
            found = [self._expert_values(expert, data.X_target) for expert in self.estimators_]
            self.expert_weights_ = consensus_weights(np.stack(found).reshape(n_experts, -1))

    def _stack(self, data):
        """Choose the weights with which the experts are right on the labeled target rows."""
        rows = np.flatnonzero(data.labeled & (data.ids < 0))
        if not len(rows):
            warn_without_labels(self, len(data.target), "all experts weigh the same")
            return
        X, wanted = take_rows(data.X, rows), self._wanted(take_labels(data.y, rows))
        found = [np.ravel(self._expert_values(expert, X)) for expert in self.estimators_]
        self.expert_weights_ = stacking_weights(np.stack(found), np.ravel(wanted))

    def _combined(self, X, sample_domain):
        """Return the weighted mean of the predictions of the experts."""
        data = data_for_inner_predict(self, X, sample_domain)
        weights = np.broadcast_to(self.expert_weights_, (n_rows(data.X), len(self.expert_weights_)))
        if self.domain_estimator_ is not None:
            weights = on_host(self.domain_estimator_.predict_proba(data.X))
        total = 0.0
        for expert, weight in zip(self.estimators_, weights.T, strict=True):
            values = self._expert_values(expert, data.X)
            total = total + values * weight.reshape(-1, *[1] * (values.ndim - 1))
        return total, data.input_backend

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._inner()).input_tags
        if self.weighting == "similarity":
            taken = get_tags(self._domain_model()).input_tags
            # The rows go to both models, so that both have to take them.
            tags.input_tags.allow_nan &= taken.allow_nan
            tags.input_tags.sparse &= taken.sparse
        if self.weighting == "mmd":
            # The kernel is one of dense rows.
            tags.input_tags.allow_nan = tags.input_tags.sparse = False
        return tags
