"""What methods share that end in a scikit-learn model of the target, fitted on the host."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from .._array._backend import namespace, to_numpy
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit
from .._core._routing import DomainRouting
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import data_for_fit, data_for_predict, fresh_fit, one_class_explained


def fit_weighted(estimator, X, y, weight):
    """Fit an estimator on weighted rows; with equal weights it need not accept sample_weight."""
    # Equal up to the rounding of the plan's sums.
    if np.ptp(weight) <= 1e-12 * np.max(weight):
        return estimator.fit(X, y)
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"estimator must accept sample_weight in fit, because target rows get labels with "
            f"weights; got {type(estimator).__name__}. Use another one, and put its preprocessing "
            "steps in front, in the outer pipeline."
        )
    return estimator.fit(X, y, sample_weight=weight)


def fit_on_soft_labels(estimator, X, shares, classes, *, threshold=1e-6):
    """Fit a classifier on rows that carry a proportion of each class.

    Parameters
    ----------
    estimator : classifier
    X : ndarray of shape (n, d)
    shares : ndarray of shape (n, n_classes)
        Proportion of each class in each row's label; rows sum to one.
    classes : ndarray of shape (n_classes,)
    threshold : float, default=1e-6
        Proportions up to this are left out.

    Returns
    -------
    estimator : classifier
        The same one, fitted on each row once for each class in its label.
    """
    # Entropic plans send a trace of mass everywhere; each kept pair is a row to fit on.
    row, code = np.nonzero(shares > threshold)
    return fit_weighted(estimator, X[row], classes[code], shares[row, code])


def model_has(method):
    """Return a check that the model of the target, fitted or to be fitted, has a method."""

    def check(self):
        # Before fit the parameter decides, or what stands in for None.
        getattr(getattr(self, "estimator_", None) or self._inner(), method)
        return True

    return check


class TargetModel(*CALLBACK_SUPPORT, DomainRouting):  # type: ignore[misc]
    """An estimator that learns ``estimator_`` on target rows and predicts with it.

    A subclass has an ``estimator`` parameter, ``_default()`` that stands in for None, and
    ``_fit(data)``.
    """

    _labels = "source"

    def _n_tasks(self, data):
        """Return how many tasks a fit has at most, for callbacks; None if that is not known."""
        return 0

    def _inner(self):
        return self._default() if self.estimator is None else clone(self.estimator)

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Learn a model of the target from labeled source rows and unlabeled target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, there is
            nothing to adapt to, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            data = data_for_fit(self, X, y, sample_domain, labels=self._labels)
            begin_fit(self, X, y, data.ids, data.labeled, n_tasks=self._n_tasks(data))
            # The inner estimator knows nothing of domains, and neither does its error.
            with one_class_explained(self, data.y_source):
                self._fit(data)
        return self

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict with the model of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predictions: labels in NumPy, numbers in the array library of `X`.
        """
        if is_classifier(self):
            data = data_for_predict(self, X, sample_domain, method="predict")
            return self.estimator_.predict(to_numpy(data.X))
        return self._answer("predict", X, sample_domain)

    def _answer(self, method, X, sample_domain, tidy=None):
        """Ask the model of the target, on the host; its numbers go where X came from."""
        data = data_for_predict(self, X, sample_domain, method=method)
        values = getattr(self.estimator_, method)(to_numpy(data.X))
        return data.input_backend.asarray(values if tidy is None else tidy(values))


class TargetClassifier(TargetModel):
    """A :class:`TargetModel` for classes."""

    @available_if(model_has("predict_proba"))
    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities of the model of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._answer("predict_proba", X, sample_domain, tidy=self._all_classes)

    @available_if(model_has("predict_log_proba"))
    def predict_log_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        proba = self.predict_proba(X, sample_domain=sample_domain)
        # log 0 is -inf, as in scikit-learn.
        with np.errstate(divide="ignore"):
            return namespace(proba).log(proba)

    @available_if(model_has("decision_function"))
    def decision_function(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return decision values of the model of the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it.

        Returns
        -------
        values : array of shape (n_samples,) or (n_samples, n_classes)
            Decision values.
        """
        return self._answer("decision_function", X, sample_domain)

    def _all_classes(self, proba):
        """Return the columns of all classes, also of those that no target row was given."""
        if proba.shape[1] == len(self.classes_):
            return proba
        # A class that no target row was given is unknown to the inner estimator: probability 0.
        full = np.zeros((proba.shape[0], len(self.classes_)), dtype=proba.dtype)
        full[:, np.searchsorted(self.classes_, self.estimator_.classes_)] = proba
        return full
